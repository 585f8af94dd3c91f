"""What there is to provision (RFC 7643 §4, §7): users with the enterprise extension, and groups.

The discovery documents are made from these tables, and so is every check: what is announced is what works.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Literal

from msgspec import Struct

Type = Literal["string", "boolean", "dateTime", "reference", "binary", "complex"]
Mutability = Literal["readWrite", "readOnly", "immutable"]
Returned = Literal["default", "always"]

USER_URN = "urn:ietf:params:scim:schemas:core:2.0:User"
GROUP_URN = "urn:ietf:params:scim:schemas:core:2.0:Group"
ENTERPRISE_URN = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"


class Attribute(Struct, frozen=True, kw_only=True):
    """One attribute (RFC 7643 §2.2, §7)."""

    name: str
    type: Type = "string"
    about: str
    multi: bool = False
    required: bool = False
    exact: bool = False
    """Whether its text is compared case by case."""
    mutability: Mutability = "readWrite"
    returned: Returned = "default"
    unique: bool = False
    canonical: tuple[str, ...] = ()
    references: tuple[str, ...] = ()
    parts: tuple[Attribute, ...] = ()

    def part(self, name: str) -> Attribute | None:
        """A sub-attribute, however its name is written (RFC 7643 §2.1)."""
        return find(self.parts, name)

    def document(self) -> dict[str, Any]:
        """As the schema document says it (RFC 7643 §7)."""
        shown: dict[str, Any] = {
            "name": self.name,
            "type": self.type,
            "multiValued": self.multi,
            "description": self.about,
            "required": self.required,
            "caseExact": self.exact,
            "mutability": self.mutability,
            "returned": self.returned,
            "uniqueness": "server" if self.unique else "none",
        }
        if self.canonical:
            shown["canonicalValues"] = list(self.canonical)
        if self.type == "reference":
            shown["referenceTypes"] = list(self.references)
        if self.parts:
            shown["subAttributes"] = [part.document() for part in self.parts]
        return shown


class Schema(Struct, frozen=True, kw_only=True):
    urn: str
    name: str
    about: str
    attributes: tuple[Attribute, ...]

    def attribute(self, name: str) -> Attribute | None:
        return find(self.attributes, name)


class Kind(Struct, frozen=True, kw_only=True):
    """A type of resource (RFC 7643 §6)."""

    name: str
    endpoint: str
    about: str
    schema: Schema
    extensions: tuple[Schema, ...] = ()

    def schemas(self) -> tuple[Schema, ...]:
        return (self.schema, *self.extensions)

    def schema_of(self, urn: str) -> Schema | None:
        """The schema of that name, however it is written (RFC 7643 §2.1)."""
        wanted = urn.lower()
        return next((schema for schema in self.schemas() if schema.urn.lower() == wanted), None)

    def attribute(self, name: str) -> Attribute | None:
        """One of the core schema, or one that all resources have."""
        return self.schema.attribute(name) or find(COMMON, name)


def find(attributes: Iterable[Attribute], name: str) -> Attribute | None:
    wanted = name.lower()
    return next((attribute for attribute in attributes if attribute.name.lower() == wanted), None)


def _text(name: str, about: str, **more: Any) -> Attribute:
    return Attribute(name=name, about=about, **more)


def _values(
    name: str, about: str, types: tuple[str, ...] = (), *, value: Mapping[str, Any] | None = None
) -> Attribute:
    """A list of values with their kinds (RFC 7643 §2.4)."""
    parts = (
        Attribute(name="value", about="The value.", **(value or {})),
        _text("display", "What people read."),
        _text("type", "What it is for.", canonical=types),
        Attribute(name="primary", type="boolean", about="Whether it is the preferred one."),
    )
    return Attribute(name=name, type="complex", about=about, multi=True, parts=parts)


COMMON = (
    Attribute(
        name="id",
        about="The identifier that this server gave it.",
        exact=True,
        mutability="readOnly",
        returned="always",
        unique=True,
    ),
    _text("externalId", "The identifier that the client gave it.", exact=True),
    Attribute(
        name="meta",
        type="complex",
        about="What is known of the resource itself.",
        mutability="readOnly",
        parts=(
            _text("resourceType", "Its type.", exact=True, mutability="readOnly"),
            Attribute(name="created", type="dateTime", about="When it was made.", mutability="readOnly"),
            Attribute(
                name="lastModified", type="dateTime", about="When it was changed.", mutability="readOnly"
            ),
            _text("location", "Its address.", exact=True, mutability="readOnly"),
            _text("version", "Its entity-tag.", exact=True, mutability="readOnly"),
        ),
    ),
)
"""RFC 7643 §3.1: of every resource, and of no schema."""

NAME = Attribute(
    name="name",
    type="complex",
    about="The components of the name.",
    parts=(
        _text("formatted", "The whole name."),
        _text("familyName", "Family name."),
        _text("givenName", "Given name."),
        _text("middleName", "Middle names."),
        _text("honorificPrefix", "Title before the name."),
        _text("honorificSuffix", "Suffix after the name."),
    ),
)

ADDRESSES = Attribute(
    name="addresses",
    type="complex",
    about="Postal addresses.",
    multi=True,
    parts=(
        _text("formatted", "The whole address."),
        _text("streetAddress", "Street and number."),
        _text("locality", "City."),
        _text("region", "State or region."),
        _text("postalCode", "Postal code."),
        _text("country", "Country, two letters."),
        _text("type", "What it is for.", canonical=("work", "home", "other")),
        Attribute(name="primary", type="boolean", about="Whether it is the preferred one."),
    ),
)

GROUPS_OF_USER = Attribute(
    name="groups",
    type="complex",
    about="Groups that the user is in; changed at the group.",
    multi=True,
    mutability="readOnly",
    parts=(
        _text("value", "Identifier of the group.", exact=True, mutability="readOnly"),
        Attribute(
            name="$ref",
            type="reference",
            about="Address of the group.",
            exact=True,
            references=("Group",),
            mutability="readOnly",
        ),
        _text("display", "Name of the group.", mutability="readOnly"),
        _text("type", "How.", canonical=("direct",), mutability="readOnly"),
    ),
)

USER = Schema(
    urn=USER_URN,
    name="User",
    about="User account",
    attributes=(
        _text("userName", "The name at the provider, unique there.", required=True, unique=True),
        NAME,
        _text("displayName", "What people call the user."),
        _text("nickName", "Casual name."),
        Attribute(
            name="profileUrl",
            type="reference",
            about="Page about the user.",
            exact=True,
            references=("external",),
        ),
        _text("title", "Such as Vice President."),
        _text("userType", "Such as Contractor."),
        _text("preferredLanguage", "As in Accept-Language."),
        _text("locale", "Such as en-US."),
        _text("timezone", "Such as Europe/Berlin."),
        Attribute(name="active", type="boolean", about="Whether the user may come in."),
        _values("emails", "E-mail addresses.", ("work", "home", "other")),
        _values("phoneNumbers", "Phone numbers.", ("work", "home", "mobile", "fax", "pager", "other")),
        _values("ims", "Instant messaging addresses.", ("aim", "gtalk", "icq", "xmpp", "msn", "skype", "qq")),
        _values(
            "photos",
            "Addresses of pictures.",
            ("photo", "thumbnail"),
            value={"type": "reference", "references": ("external",), "exact": True},
        ),
        ADDRESSES,
        GROUPS_OF_USER,
        _values("entitlements", "What the user is entitled to, as the provider says."),
        _values("roles", "Roles at the provider. They are no roles here."),
        _values("x509Certificates", "Certificates.", value={"type": "binary", "exact": True}),
    ),
)

ENTERPRISE = Schema(
    urn=ENTERPRISE_URN,
    name="EnterpriseUser",
    about="Enterprise user",
    attributes=(
        _text("employeeNumber", "Number of the employee."),
        _text("costCenter", "Cost centre."),
        _text("organization", "Organisation."),
        _text("division", "Division."),
        _text("department", "Department."),
        Attribute(
            name="manager",
            type="complex",
            about="The user's manager.",
            parts=(
                _text("value", "Identifier of the manager.", exact=True),
                Attribute(
                    name="$ref",
                    type="reference",
                    about="Address of the manager.",
                    exact=True,
                    references=("User",),
                ),
                _text("displayName", "Name of the manager.", mutability="readOnly"),
            ),
        ),
    ),
)

MEMBERS = Attribute(
    name="members",
    type="complex",
    about="Who is in the group.",
    multi=True,
    parts=(
        _text("value", "Identifier of the user.", exact=True, mutability="immutable"),
        Attribute(
            name="$ref",
            type="reference",
            about="Address of the user.",
            exact=True,
            references=("User",),
            mutability="immutable",
        ),
        _text("type", "User.", canonical=("User",), mutability="immutable"),
    ),
)

GROUP = Schema(
    urn=GROUP_URN,
    name="Group",
    about="Group",
    attributes=(
        _text("displayName", "The name of the group, unique at the provider.", required=True, exact=True),
        MEMBERS,
    ),
)

USERS = Kind(name="User", endpoint="/Users", about="User account", schema=USER, extensions=(ENTERPRISE,))
GROUPS = Kind(name="Group", endpoint="/Groups", about="Group", schema=GROUP)

KINDS = (USERS, GROUPS)
SCHEMAS = (USER, ENTERPRISE, GROUP)
