"""One act of a directory, done with scim2-client: what an identity provider does when a person joins, moves or leaves.

    lifecycle.py BASE '{"act": "join", ...}'        the token is in SCIM_TOKEN

Prints one line of JSON. The library checks every answer against the schemas that the server publishes.
"""

import json
import os
import sys

from httpx2 import Client
from scim2_client.engines.httpx2 import SyncSCIMClient
from scim2_models import PatchOp, PatchOperation, SearchRequest


class Directory:
    """A directory that pushes to one SCIM server."""

    def __init__(self, base: str, token: str) -> None:
        self.scim = SyncSCIMClient(Client(base_url=base, headers={"Authorization": f"Bearer {token}"}))
        self.scim.discover()
        self.user = self.scim.get_resource_model("User")
        self.group = self.scim.get_resource_model("Group")

    def join(self, person: dict, groups: list[str]) -> dict:
        """Creates a person and puts them into groups."""
        user = self.scim.create(self.user.model_validate(person))
        for name in groups:
            self.change_member(name, user.id, "add")
        return self.read(user.id)

    def move(self, user: str, leave: list[str], enter: list[str]) -> dict:
        """Takes a person out of some groups and puts them into others."""
        for name in leave:
            self.change_member(name, user, "remove")
        for name in enter:
            self.change_member(name, user, "add")
        return self.read(user)

    def set_active(self, user: str, active: bool) -> dict:
        """Deactivates a leaver or reactivates somebody who came back."""
        self.patch(self.user, user, PatchOperation(op="replace", path="active", value=active))
        return self.read(user)

    def rename(self, user: str, family: str) -> dict:
        """Replaces the whole resource with an edited copy (PUT)."""
        resource = self.scim.query(self.user, user)
        resource.name.family_name = family
        self.scim.replace(resource)
        return self.read(user)

    def delete(self, user: str) -> dict:
        """Removes a person."""
        self.scim.delete(self.user, user)
        return {}

    def read(self, user: str) -> dict:
        """Returns a person as the server shows them."""
        return json.loads(self.scim.query(self.user, user).model_dump_json(by_alias=True, exclude_none=True))

    def find(self, filter_: str) -> dict:
        """Returns what a filter finds."""
        found = self.scim.query(self.user, search_request(filter_))
        return {"total": found.total_results, "ids": [each.id for each in found.resources or []]}

    def change_member(self, group: str, user: str, change: str) -> None:
        """Adds or removes one member; makes a group that is not there yet."""
        operation = (
            PatchOperation(op="add", path="members", value=[{"value": user}])
            if change == "add"
            else PatchOperation(op="remove", path=f'members[value eq "{user}"]')
        )
        self.patch(self.group, self.group_id(group), operation)

    def group_id(self, name: str) -> str:
        """Finds a group by its name, or makes it."""
        found = self.scim.query(self.group, search_request(f'displayName eq "{name}"'))
        if found.resources:
            return found.resources[0].id
        return self.scim.create(self.group(display_name=name)).id

    def patch(self, model: type, resource: str, operation: PatchOperation) -> None:
        """Sends one operation."""
        self.scim.modify(model, resource, PatchOp[model](operations=[operation]))


def search_request(filter_: str) -> SearchRequest:
    """A search with a filter and nothing else."""
    return SearchRequest(filter=filter_)


def main() -> None:
    """Reads what to do, does it, and prints the result."""
    act = json.loads(sys.argv[2])
    directory = Directory(sys.argv[1], os.environ["SCIM_TOKEN"])
    print(json.dumps(getattr(directory, act.pop("act"))(**act)))


if __name__ == "__main__":
    main()
