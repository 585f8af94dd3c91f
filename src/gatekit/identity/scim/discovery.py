"""What a client can find out about this server (RFC 7644 §4, RFC 7643 §5–§7)."""

from __future__ import annotations

from typing import Any

from gatekit.identity.scim.schema import SCHEMAS, Kind, Schema

MAX_RESULTS = 500
DEFAULT_RESULTS = 100
MAX_BULK_OPERATIONS = 1000
MAX_BULK_BYTES = 4 * 1024 * 1024

CONFIG_URN = "urn:ietf:params:scim:schemas:core:2.0:ServiceProviderConfig"
TYPE_URN = "urn:ietf:params:scim:schemas:core:2.0:ResourceType"
SCHEMA_URN = "urn:ietf:params:scim:schemas:core:2.0:Schema"


def service_provider(base: str) -> dict[str, Any]:
    """RFC 7643 §5, and what RFC 9865 §4 adds. ``base`` is the address under which all of this lies."""
    return {
        "schemas": [CONFIG_URN],
        "patch": {"supported": True},
        "bulk": {
            "supported": True,
            "maxOperations": MAX_BULK_OPERATIONS,
            "maxPayloadSize": MAX_BULK_BYTES,
        },
        "filter": {"supported": True, "maxResults": MAX_RESULTS},
        "changePassword": {"supported": False},
        "sort": {"supported": True},
        "etag": {"supported": True},
        "pagination": {
            "cursor": True,
            "index": True,
            "defaultPaginationMethod": "index",
            "defaultPageSize": DEFAULT_RESULTS,
            "maxPageSize": MAX_RESULTS,
        },
        "authenticationSchemes": [
            {
                "type": "oauthbearertoken",
                "name": "Bearer token",
                "description": "A token of one connection, in the header Authorization",
                "specUri": "https://www.rfc-editor.org/info/rfc6750",
                "primary": True,
            }
        ],
        "meta": {"resourceType": "ServiceProviderConfig", "location": f"{base}/ServiceProviderConfig"},
    }


def resource_type(kind: Kind, base: str) -> dict[str, Any]:
    """RFC 7643 §6."""
    shown: dict[str, Any] = {
        "schemas": [TYPE_URN],
        "id": kind.name,
        "name": kind.name,
        "endpoint": kind.endpoint,
        "description": kind.about,
        "schema": kind.schema.urn,
        "meta": {"resourceType": "ResourceType", "location": f"{base}/ResourceTypes/{kind.name}"},
    }
    if kind.extensions:
        shown["schemaExtensions"] = [
            {"schema": extension.urn, "required": False} for extension in kind.extensions
        ]
    return shown


def schema_document(schema: Schema, base: str) -> dict[str, Any]:
    """RFC 7643 §7."""
    return {
        "schemas": [SCHEMA_URN],
        "id": schema.urn,
        "name": schema.name,
        "description": schema.about,
        "attributes": [attribute.document() for attribute in schema.attributes],
        "meta": {"resourceType": "Schema", "location": f"{base}/Schemas/{schema.urn}"},
    }


def schema_of(urn: str) -> Schema | None:
    return next((schema for schema in SCHEMAS if schema.urn.lower() == urn.lower()), None)
