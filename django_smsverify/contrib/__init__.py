"""Ready parts for a site: a login by number, fields of forms and serializers, a permission. Nothing here is imported by
the rest of the package; a site imports what it uses."""

from __future__ import annotations
