"""Models of the benchmark: what django-scim2 expects of an application."""
