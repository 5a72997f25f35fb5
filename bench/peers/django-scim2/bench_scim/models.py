"""A person and a group with the least that django-scim2's adapters read and write."""

from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.db import models
from django_scim.models import AbstractSCIMGroupMixin, AbstractSCIMUserMixin


class Team(AbstractSCIMGroupMixin, models.Model):
    """A group that a directory pushes."""

    name = models.CharField(max_length=150, unique=True)


class Person(AbstractSCIMUserMixin, AbstractBaseUser):
    """A person that a directory pushes."""

    username = models.CharField(max_length=254, unique=True)
    first_name = models.CharField(max_length=150, blank=True)
    last_name = models.CharField(max_length=150, blank=True)
    email = models.EmailField(blank=True)
    is_active = models.BooleanField(default=True)
    date_joined = models.DateTimeField(auto_now_add=True)
    groups = models.ManyToManyField(Team, related_name="user_set", blank=True)

    USERNAME_FIELD = "username"
    objects = BaseUserManager()

    @property
    def scim_groups(self):
        """The groups of the person, under the name that the adapter asks for."""
        return self.groups


def person():
    """Names the user model, as USER_MODEL_GETTER wants it."""
    return Person
