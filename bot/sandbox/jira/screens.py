"""Fields beyond Jira's own ones, as a project's administrators add them: their metadata, and what they take. No HTTP here."""

from __future__ import annotations

from dataclasses import dataclass

from bot.sandbox.jira.refusals import bad_fields

JsonObject = dict[str, object]
TEXTAREA = "com.atlassian.jira.plugin.system.customfieldtypes:textarea"


@dataclass(frozen=True)
class Field:
    """`type` and `items` as in Jira's schema: string, number, option, array of option, array of component. `options` get ids from 10500 on.

    `on_create` and `required` are about the create screen. A transition's screen names it by id, and then requires it.
    """

    id: str
    name: str
    type: str = "string"
    items: str = ""
    options: tuple[str, ...] = ()
    required: bool = False
    on_create: bool = True
    is_long: bool = False

    def option_ids(self) -> dict[str, str]:
        return {str(10_500 + at): name for at, name in enumerate(self.options)}

    def metadata(self, *, required: bool) -> JsonObject:
        key = "name" if "component" in (self.type, self.items) else "value"
        schema: JsonObject = {"type": self.type, **({"items": self.items} if self.items else {})}
        if self.id.startswith("customfield_"):
            schema |= {
                "custom": TEXTAREA if self.is_long else "com.example:any",
                "customId": int(self.id.partition("_")[2]),
            }
        else:
            schema |= {"system": self.id}
        shown: JsonObject = {
            "fieldId": self.id,
            "key": self.id,
            "name": self.name,
            "required": required,
            "hasDefaultValue": False,
            "operations": ["set"],
            "schema": schema,
        }
        allowed = [{"id": id_, key: name} for id_, name in self.option_ids().items()]
        return shown | ({"allowedValues": allowed} if allowed else {})

    def read(self, value: object, version: str) -> object:
        """The value as it is kept: names of options, numbers, texts. Raises Refusal in Jira's words."""
        if self.type == "array":
            if not isinstance(value, list):
                raise bad_fields({self.id: "data was not an array"})
            return [self._read_one(self.items, entry, version) for entry in value]
        return self._read_one(self.type, value, version)

    def _read_one(self, type_: str, value: object, version: str) -> object:
        if type_ == "number":
            if isinstance(value, bool) or not isinstance(value, int | float):
                raise bad_fields({self.id: "Operation value must be a number"})
            return value
        if self.options:
            return self._read_option(value)
        if self.is_long and version == "3":
            if not isinstance(value, dict):
                raise bad_fields(
                    {self.id: "Operation value must be an Atlassian Document (see the Atlassian Document Format)"}
                )
            return value
        if not isinstance(value, str):
            raise bad_fields({self.id: "Operation value must be a string"})
        return value

    def _read_option(self, value: object) -> str:
        if not isinstance(value, dict):
            raise bad_fields({self.id: "Could not find valid 'id' or 'value' in the Parent Option object."})
        named = str(value.get("value") or value.get("name") or "")
        found = self.option_ids().get(str(value.get("id", "")), named)
        if found not in self.options:
            raise bad_fields({self.id: f"Option '{found or value.get('id')}' is not valid"})
        return found
