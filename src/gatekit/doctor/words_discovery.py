"""What can be wrong on the way to the authorization server's metadata."""

from __future__ import annotations

from collections.abc import Mapping

from gatekit.doctor.words import Words

_PUBLIC_URL = "Set proxy.public_url in gatekit.yaml to exactly what people type, without a path, and restart."

DISCOVERY: Mapping[str, Words] = {
    # -- getting there ----------------------------------------------------------------------------------
    "dns": Words(
        "The name {host} cannot be resolved",
        "No client gets as far as a connection: {reason}.",
        "Check the name, and the DNS record. From inside a network the public name may need a record of its "
        "own.",
    ),
    "private": Words(
        "{host} is not looked at: it is on a private network, or spoken to without TLS",
        "The gateway named it and you did not, and nobody shall make this machine ask around in its network. "
        "{reason}.",
        "Nothing, if the machines of people reach it. An authorization server of your own needs https.",
        "warning",
    ),
    "refused": Words(
        "Nothing answers at {host}",
        "The connection was not taken: {reason}.",
        "Is the gateway running (`gatekit serve`)? Does the proxy or firewall in front of it listen on this "
        "port?",
    ),
    "tls": Words(
        "The certificate of {host} is not accepted",
        "{reason}. Clients refuse such a server before they send anything.",
        "Serve the full chain (fullchain.pem and not cert.pem), for this name, not expired. With a company's "
        "own authority: clients on Node need NODE_EXTRA_CA_CERTS, those in Python SSL_CERT_FILE; hosted "
        "clients (claude.ai, ChatGPT) take public authorities only.",
    ),
    "silent": Words(
        "{method} {path} gets no answer",
        "The connection stands, but no complete answer came within {seconds} s.",
        "Look at the gateway's log for this request. If it is not there, the proxy in front holds it back.",
    ),
    "broken": Words(
        "{method} {path} breaks off",
        "{reason}.",
        "Look at the log of whatever answers on {host}, and at the gateway's.",
    ),
    "compressed": Words(
        "Answers are compressed though nobody asked for it",
        "The request said accept-encoding: identity. What compresses regardless also holds event streams "
        "back.",
        "Switch compression off for the gateway in the proxy (nginx: gzip off;).",
    ),
    "gateway-down": Words(
        "The proxy cannot reach the gateway ({status})",
        "{method} {path} was answered {status} by what stands in front of the gateway.",
        "Is `gatekit serve` running, and does the proxy's upstream name its host and port?",
    ),
    "not-here": Words(
        "There is no MCP endpoint at {path} ({status})",
        "A request without a token must get 401 there, and got {status}.",
        "The URL ends in /mcp or /s/NAME/mcp, without a slash behind it. If it does, the proxy does not pass "
        "this path on, or passes it on under another one (nginx: proxy_pass without a path of its own).",
    ),
    "host-rejected": Words(
        "The gateway refuses the name {host} (403)",
        "It answers only to the host of public_url, so that no web page can reach it under a name of its "
        "own.",
        "Let the proxy pass the name on (nginx: proxy_set_header Host $host;), or: " + _PUBLIC_URL,
    ),
    "turned-away": Words(
        "Something in front of the gateway refuses the request (403)",
        "{method} {path} got 403, and no text of the gateway's. Firewalls refuse what no browser sends: "
        "requests without User-Agent, HEAD, DELETE, JSON bodies.",
        "Make an exception for this path in the firewall. The request: {method} {path}, User-Agent: {agent}.",
    ),
    "redirected": Words(
        "{method} {path} is redirected ({status}) to {location}",
        "Clients do not follow a redirect with a POST or a token: they fail, or send an empty GET.",
        "Give people the URL that it leads to, and make the proxy redirect nothing below /mcp and /s/.",
    ),
    "open": Words(
        "This endpoint asks nobody to sign in",
        "{method} {path} without a token was answered {status}.",
        "Set proxy.auth.enabled to true unless this is meant. If it is true, the proxy adds a token of its "
        "own.",
        "warning",
    ),
    "early": Words(
        "{method} without a token gets {status} and not 401",
        "The token must be asked for before anything else. These clients begin with such a request, and take "
        "any other status for a server that does not work.",
        "The proxy or a firewall judges the request before the gateway does: let {method} through to {path} "
        "(nginx: no limit_except there).",
    ),
    # -- the challenge ----------------------------------------------------------------------------------
    "challenge-missing": Words(
        "WWW-Authenticate is lost on the way",
        "{method} {path} got 401 as it should, but without the header that says where to sign in. These "
        "clients then say that the server does not implement OAuth.",
        "Let the proxy pass WWW-Authenticate on: look for proxy_hide_header, header filters, and error pages "
        "for 401 (nginx: proxy_intercept_errors off;).",
    ),
    "challenge-bare": Words(
        "The challenge names no metadata",
        "WWW-Authenticate is {challenge}, without resource_metadata.",
        "Something replaces the gateway's header: switch off the proxy's own authentication for this path.",
    ),
    "challenge-elsewhere": Words(
        "The challenge leads to {given}",
        "The URL in use begins with {origin}; the gateway believes that it is published at another address.",
        _PUBLIC_URL,
    ),
    "challenge-doubled": Words(
        "The 401 carries a challenge of somebody else's",
        "WWW-Authenticate is {challenge}: the proxy asks for a sign-in of its own, and clients read that "
        "first.",
        "Switch off the proxy's own authentication for this path (nginx: auth_basic off;).",
    ),
    "body-empty": Words(
        "The 401 has no body",
        "Some clients read it before they look at the header.",
        "The proxy replaces the body: switch off its error pages for 401.",
        "warning",
    ),
    # -- metadata ---------------------------------------------------------------------------------------
    "resource-missing": Words(
        "There is no resource metadata at {url} ({status})",
        "Clients learn there which authorization server to use (RFC 9728).",
        "Let the proxy pass /.well-known/ on to the gateway, all of it; some keep it for certificates (only "
        "/.well-known/acme-challenge/ is needed for those).",
    ),
    "resource-scheme": Words(
        "public_url says {theirs}, but people use {ours}",
        "The metadata is for {resource}, the URL in use is {url}. Clients compare the two and stop.",
        _PUBLIC_URL + " (https://… if a proxy in front ends TLS)",
    ),
    "resource-host": Words(
        "public_url is another host than the one in use",
        "The metadata is for {resource}, the URL in use is {url}. To clients localhost, 127.0.0.1 and a name "
        "are three different servers.",
        "Give people the URL {resource}, or: " + _PUBLIC_URL,
    ),
    "resource-path": Words(
        "The metadata is for another path",
        "It is for {resource}, the URL in use is {url}.",
        "The proxy changes the path, or the URL has a slash or a query too much. The gateway must see the "
        "same path as the client; give people {resource}.",
    ),
    "resource-exact": Words(
        "The metadata is for {resource}, which is not letter by letter the URL in use",
        "These clients want {url} there, exactly.",
        "Give people the URL {resource}; no slash behind it, no query.",
    ),
    "root-misleads": Words(
        "The bare origin has resource metadata for {resource}",
        "Clients that look there as well take it for the one of {url}.",
        "Serve nothing at /.well-known/oauth-protected-resource; what is there does not come from Gatekit.",
        "warning",
    ),
    "issuer-missing": Words(
        "The resource metadata names no authorization server",
        "{url} has no authorization_servers.",
        "What answers there is not Gatekit, or something rewrites its answers.",
    ),
    "metadata-missing": Words(
        "The authorization server {issuer} has no metadata",
        "{url} was answered {status} (RFC 8414).",
        "Let the proxy pass /.well-known/oauth-authorization-server on to the gateway.",
    ),
    "metadata-garbled": Words(
        "{url} cannot be read",
        "It was answered {status}, {kind}.",
        "Something other than the gateway answers there: a single-page application's fallback, or an error "
        "page.",
    ),
    "issuer-other": Words(
        "The authorization server calls itself {named}",
        "It was looked for as {issuer}. Clients refuse metadata of another issuer (RFC 8414 §3.3).",
        _PUBLIC_URL,
    ),
    "metadata-poor": Words(
        "The authorization server's metadata lacks {members}",
        "Clients refuse to go on without.",
        "What answers at {url} is not Gatekit, or something rewrites its answers.",
    ),
    "endpoint-elsewhere": Words(
        "{member} is {given}",
        "That is another origin than the issuer {issuer}; clients and browsers would be sent there.",
        _PUBLIC_URL,
    ),
    "no-iss": Words(
        "The authorization response has no iss",
        "The metadata does not announce authorization_response_iss_parameter_supported, and these clients "
        "refuse a response without it (RFC 9207).",
        "The authorization server must send iss. Gatekit always does: is this one something else?",
    ),
    "dpop-required": Words(
        "Every token must be bound to a key of the client (DPoP)",
        "The resource metadata says dpop_bound_access_tokens_required, and these clients know no DPoP (RFC "
        "9449).",
        "Set proxy.auth.dpop.required to false; clients that know DPoP use it all the same.",
    ),
    "pushed-required": Words(
        "Every authorization request must be pushed first (PAR)",
        "The metadata says require_pushed_authorization_requests, and these clients push none (RFC 9126).",
        "Set proxy.auth.pushed_requests.required to false; clients that push may go on doing so.",
    ),
    "offline-access": Words(
        "scopes_supported lists offline_access",
        "Many clients then ask for it with prompt=consent, so people are asked at every sign-in.",
        "Take it out of the authorization server's scopes; refresh tokens do not need it here.",
        "warning",
    ),
}
