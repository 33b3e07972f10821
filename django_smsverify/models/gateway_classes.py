"""Finds a gateway's class by its alias in SMSVERIFY["GATEWAYS"], which maps to a dotted path."""

from __future__ import annotations

from django.utils.module_loading import import_string

from django_smsverify.conf import conf
from django_smsverify.exceptions import InvalidGateway
from django_smsverify.gateways.base import Gateway


def gateway_class(alias: str) -> type[Gateway]:
    """The class for an alias; raises InvalidGateway, whose text has the solution."""
    path = conf.GATEWAYS.get(alias)
    if path is None:
        known = ", ".join(sorted(conf.GATEWAYS))
        raise InvalidGateway(f'There is no gateway "{alias}". Add it to SMSVERIFY["GATEWAYS"] or use one of: {known}.')
    try:
        found = import_string(path)
    except Exception as error:  # the module may raise anything while it is imported
        raise InvalidGateway(f'The gateway "{alias}" cannot be imported from "{path}": {error}') from error
    if not (isinstance(found, type) and issubclass(found, Gateway)):
        raise InvalidGateway(f'"{path}" of the gateway "{alias}" is not a subclass of Gateway.')
    return found


class MissingGateway(Gateway):
    """Stands for a gateway that cannot be imported: it supports nothing, and its billing is the most expensive rule."""

    label = "?"


def gateway_class_or_missing(alias: str) -> type[Gateway]:
    """Returns the class behind an alias, or MissingGateway; a system check reports what is missing."""
    try:
        return gateway_class(alias)
    except InvalidGateway:
        return MissingGateway
