"""A site with django-allauth, whose tests tests/test_allauth.py runs in a process of their own."""
