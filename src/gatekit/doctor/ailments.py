"""Everything that can be wrong, in words for who has to mend it. ``{names}`` in a text are facts of it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal

from msgspec import Struct

Level = Literal["failure", "warning"]
"""A failure keeps the clients that it names out; a warning is about comfort, or about what cannot be seen."""


class Ailment(Struct, frozen=True):
    """One thing that is wrong. ``code`` names it for programs and for good; ``facts`` fill in its text."""

    code: str
    facts: Mapping[str, str] = MappingProxyType({})

    @property
    def level(self) -> Level:
        return WORDS[self.code].level

    @property
    def title(self) -> str:
        return self._text(WORDS[self.code].title)

    @property
    def why(self) -> str:
        return self._text(WORDS[self.code].why)

    @property
    def mend(self) -> str:
        return self._text(WORDS[self.code].mend)

    def _text(self, template: str) -> str:
        return template.format_map(defaultdict(lambda: "?", self.facts))


class Words(Struct, frozen=True):
    title: str
    why: str
    mend: str
    level: Level = "failure"


_PUBLIC_URL = "Set proxy.public_url in gatekit.yaml to exactly what people type, without a path, and restart."

WORDS: Mapping[str, Words] = {
    # -- getting there ----------------------------------------------------------------------------------
    "dns": Words(
        "The name {host} cannot be resolved",
        "No client gets as far as a connection: {reason}.",
        "Check the name, and the DNS record. From inside a network the public name may need a record of "
        "its own.",
    ),
    "refused": Words(
        "Nothing answers at {host}",
        "The connection was not taken: {reason}.",
        "Is the gateway running (`gatekit serve`)? Does the proxy or firewall in front of it listen on "
        "this port?",
    ),
    "tls": Words(
        "The certificate of {host} is not accepted",
        "{reason}. Clients refuse such a server before they send anything.",
        "Serve the full chain (fullchain.pem and not cert.pem), for this name, not expired. With a "
        "company's own "
        "authority: clients on Node need NODE_EXTRA_CA_CERTS, those in Python SSL_CERT_FILE; hosted clients "
        "(claude.ai, ChatGPT) take public authorities only.",
    ),
    "silent": Words(
        "{method} {path} gets no answer",
        "The connection stands, but no complete answer came within {seconds} s.",
        "Look at the gateway's log for this request. If it is not there, the proxy in front holds it back.",
    ),
    "broken": Words(
        "{method} {path} breaks off",
        "{reason}.",
        "Look at the log of whatever answers on {host}; the gateway itself never does this.",
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
        "Let the proxy pass the name on (nginx: proxy_set_header Host $host;), or mend public_url: "
        + _PUBLIC_URL,
    ),
    "turned-away": Words(
        "Something in front of the gateway refuses the request (403)",
        "{method} {path} got 403, and no text of the gateway's. Firewalls refuse what no browser sends: "
        "requests "
        "without User-Agent, HEAD, DELETE, JSON bodies.",
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
        "Set proxy.auth.enabled to true unless this is meant. If it is true, the proxy adds a token of "
        "its own.",
    ),
    "early": Words(
        "{method} without a token gets {status} and not 401",
        "The token must be asked for before anything else. This client begins with {method} {path} and "
        "takes any "
        "other status for a server that does not work.",
        "The proxy or a firewall judges the request before the gateway does: let {method} through to {path} "
        "(nginx: no limit_except there).",
    ),
    # -- the challenge ----------------------------------------------------------------------------------
    "challenge-missing": Words(
        "WWW-Authenticate is lost on the way",
        "{method} {path} got 401 as it should, but without the header that says where to sign in. This "
        "client "
        "then says that the server does not implement OAuth.",
        "Let the proxy pass WWW-Authenticate on: look for proxy_hide_header, header filters, and error "
        "pages for "
        "401 (nginx: proxy_intercept_errors off;).",
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
        "WWW-Authenticate comes twice",
        "The proxy adds a challenge of its own: {challenge}. Clients read the first one.",
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
        "Let the proxy pass /.well-known/ on to the gateway, all of it; some keep it for certificates "
        "(only /.well-known/acme-challenge/ is needed for those).",
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
        "The proxy changes the path, or the URL has a slash or a query too much. The gateway must see "
        "the same "
        "path as the client; give people {resource}.",
    ),
    "resource-exact": Words(
        "The metadata is for {resource}, which is not letter by letter the URL in use",
        "This client wants {url} there, exactly.",
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
        "{url} is no JSON",
        "It was answered {status}, {kind}.",
        "Something other than the gateway answers there: a single-page application's fallback, or an "
        "error page.",
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
        "The metadata does not announce authorization_response_iss_parameter_supported, and this client "
        "refuses a "
        "response without it (RFC 9207).",
        "The authorization server must send iss. Gatekit always does: is this one something else?",
    ),
    "offline-access": Words(
        "scopes_supported lists offline_access",
        "Many clients then ask for it with prompt=consent, so people are asked at every sign-in.",
        "Take it out of the authorization server's scopes; refresh tokens do not need it here.",
        "warning",
    ),
    # -- registration -----------------------------------------------------------------------------------
    "nobody-registers": Words(
        "There is no way to become a client",
        "The metadata has neither registration_endpoint nor client_id_metadata_document_supported, and "
        "this client "
        "asks nobody for a client id.",
        "Set registration.enabled to true, or enter the client in the file and tell people its id.",
    ),
    "document-unreachable": Words(
        "Client metadata documents are announced but cannot be fetched here",
        "{url}: {reason}. This client uses its document as soon as it is announced, and has no other way.",
        "Allow this machine to reach {host} over https, or set registration.metadata_documents to false: "
        "then the "
        "client registers as others do.",
    ),
    "documents-unseen": Words(
        "Client metadata documents are announced",
        "The gateway must be able to fetch {url}; from here that cannot be seen.",
        "If this client fails at the sign-in page, run `gatekit doctor` on the gateway's own machine.",
        "warning",
    ),
    "registration-refused": Words(
        "The registration is refused: {status} {error}",
        "{description}",
        "{remedy}",
    ),
    "registration-flood": Words(
        "The gateway takes no more registrations from here for now (429)",
        "Its budget for one address is used up; it says to come back in {wait} s.",
        "Wait, or look at one client at a time (--client). If this is not the third run in a minute, all "
        "clients "
        "share one address to the gateway: set proxy.trusted_proxies to the proxy's network.",
        "warning",
    ),
    "redirect-dropped": Words(
        "The redirect URI {uri} was not registered",
        "The gateway left it out of {client}'s registration, and the client is going to use it.",
        "Add its scheme to registration.private_use_schemes.",
    ),
    "registration-foreign": Words(
        "The authorization server is another one: {issuer}",
        "Registrations are not tried at a server of somebody else's, so what is behind that is not known.",
        "Nothing to mend here. To see more, sign in with a real client.",
        "warning",
    ),
    # -- the sign-in page -------------------------------------------------------------------------------
    "authorize-refused": Words(
        "The sign-in page does not open: {status} {said}",
        "{url} was asked what this client asks there.",
        "The text is the gateway's own; its log has more under the same reference. If nothing is in the log, "
        "something in front of it answered.",
    ),
    "authorize-error": Words(
        "The sign-in ends at once with {error}",
        "{description}",
        "The gateway's log has the reason.",
    ),
    "authorize-no-page": Words(
        "{url} does not lead to a page where one could sign in",
        "The last answer was {status}, {kind}, without a form.",
        "What answers there is not the gateway's sign-in page: look at the proxy.",
    ),
    "authorize-once": Words(
        "The sign-in page opens only once",
        "This client opens it itself before the browser does, and the second time it was {status}.",
        "Something remembers the first request: a cache, or a firewall against replays.",
    ),
    "cookie-lost": Words(
        "The sign-in page sets no cookie",
        "Without it the form that follows is refused.",
        "The proxy drops Set-Cookie, or a cache keeps the page (nginx: proxy_ignore_headers, proxy_cache).",
    ),
    "cookie-broken": Words(
        "A browser does not take the cookie {cookie}",
        "{reason}.",
        "The proxy rewrites cookies: take out proxy_cookie_domain, proxy_cookie_path and proxy_cookie_flags.",
    ),
    "form-action": Words(
        "A Content-Security-Policy with form-action is added to the sign-in page",
        "Chromium applies it to the redirect after the form too, so the browser stays where it is after "
        "Approve.",
        "Let the proxy add no Content-Security-Policy; the gateway's pages bring a strict one.",
    ),
    "page-cached": Words(
        "The sign-in page may be cached",
        "Cache-Control is {cache}, and the gateway says no-store: one person could see another's page.",
        "Let the proxy pass Cache-Control on, and cache nothing of the gateway but /static/.",
    ),
    # -- tokens -----------------------------------------------------------------------------------------
    "token-odd": Words(
        "The token endpoint does not answer as it should: {status} {error}",
        "{grant} with a made-up value must be refused as invalid_grant in JSON. {said}",
        "If the text is not the gateway's, the proxy answers for it: error pages for 400, limits on bodies.",
    ),
    "token-cached": Words(
        "Answers of the token endpoint may be cached",
        "Cache-Control is {cache}; it must be no-store (RFC 6749 §5.1).",
        "Let the proxy pass Cache-Control on.",
    ),
    # -- pages of others --------------------------------------------------------------------------------
    "cors-preflight": Words(
        "The preflight for {path} is answered {status}",
        "Clients that live in a web page (here {origin}) ask with OPTIONS, without a token, and stop.",
        "Let the proxy pass OPTIONS on to the gateway, and answer none itself.",
    ),
    "cors-missing": Words(
        "{header} is lost on {path}",
        "A web page ({origin}) must not read the answer without it.",
        "Let the proxy pass the Access-Control-* headers of the gateway on.",
    ),
    "cors-doubled": Words(
        "Access-Control-Allow-Origin comes twice on {path}",
        "The gateway and the proxy both set it ({value}); a browser accepts neither.",
        "Let the proxy add no CORS headers of its own; the gateway sends what is needed.",
    ),
    # -- beyond the sign-in -----------------------------------------------------------------------------
    "sign-in-failed": Words(
        "{person} could not sign in",
        "{reason}",
        "Is the password right, and may this person come in (proxy.auth.allowed_users)? The gateway's audit "
        "trail says more: gatekit audit search",
    ),
    "no-code": Words(
        "The sign-in came back without a code: {error}",
        "{description}",
        "access_denied: this person may not use the server. Otherwise the gateway's log has the reason.",
    ),
    "response-changed": Words(
        "The authorization response was changed on the way",
        "{what} did not come back as it was sent.",
        "Something rewrites redirects (nginx: proxy_redirect off;).",
    ),
    "no-token": Words(
        "A good code got no token: {status} {error}",
        "{description}",
        "The gateway's log has the reason.",
    ),
    "token-answer": Words(
        "The token answer is not what clients need",
        "{what}",
        "If this is Gatekit, its tokens.* settings: lifetimes of at least ten minutes.",
    ),
    "no-refresh": Words(
        "The refresh failed: {status} {error}",
        "{description} This client asks for it the way it does it: {form}.",
        "The gateway's log has the reason. People would have to sign in again every hour.",
    ),
    "call-failed": Words(
        "{what} with a good token was answered {status}",
        "{said}",
        "401: the token does not reach the gateway (the proxy drops or replaces Authorization). "
        "Otherwise the "
        "server behind it failed: its log is the gateway's.",
    ),
    "stream-held": Words(
        "Event streams are held back on the way",
        "An open stream showed nothing within {seconds} s. Progress and questions would arrive all at "
        "once at "
        "the end, or never.",
        "Switch buffering off for the gateway (nginx: proxy_buffering off; and not "
        "proxy_ignore_headers X-Accel-Buffering), compression too, and let streams live "
        "(proxy_read_timeout 1h;).",
    ),
    "not-revoked": Words(
        "The revoked token still works",
        "/revoke was answered {status}, and a call afterwards {after}.",
        "A cache in front of the gateway keeps answers: cache nothing there.",
    ),
    # -- the ground -------------------------------------------------------------------------------------
    "clock": Words(
        "The clocks differ by {seconds} s",
        "The gateway's is {direction} of this machine's. Codes live for a minute and tokens for an hour.",
        "Run NTP on both machines (timedatectl set-ntp true).",
        "warning",
    ),
    "one-way": Words(
        "This machine cannot reach the gateway's public address",
        "{public}: {reason}. The gateway itself was looked at under {local}.",
        "If people reach it, that is fine: run `gatekit doctor {public}` where they are. If not, mend "
        "this first.",
        "warning",
    ),
}
"""Code → what it means. The codes are part of the JSON form and stay."""
