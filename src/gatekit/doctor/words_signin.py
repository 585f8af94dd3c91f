"""What can be wrong from the registration on, and what concerns no client in particular."""

from __future__ import annotations

from collections.abc import Mapping

from gatekit.doctor.words import Words

SIGN_IN: Mapping[str, Words] = {
    # -- registration -----------------------------------------------------------------------------------
    "nobody-registers": Words(
        "There is no way to become a client",
        "The metadata has neither registration_endpoint nor client_id_metadata_document_supported, and these "
        "clients ask nobody for a client id.",
        "Set proxy.auth.registration.enabled to true, or enter the client in the file and tell people its "
        "id. If another authorization server is in charge (proxy.auth.external), make it a connection of the "
        "type oidc instead: then clients register here (docs/external.md).",
    ),
    "document-unreachable": Words(
        "Client metadata documents are announced but cannot be fetched here",
        "{url}: {reason}. These clients use their document as soon as it is announced, and have no other "
        "way.",
        "Allow this machine to reach {host} over https, or set proxy.auth.registration.metadata_documents to "
        "false: then they register as others do.",
    ),
    "documents-unseen": Words(
        "Client metadata documents are announced",
        "The gateway must be able to fetch {url}; from here that cannot be seen.",
        "If these clients fail at the sign-in page, run `gatekit doctor` on the gateway's own machine.",
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
        "clients share one address to the gateway: set proxy.trusted_proxies to the proxy's network.",
        "warning",
    ),
    "redirect-dropped": Words(
        "The redirect URI {uri} was not registered",
        "The gateway left it out of {client}'s registration, and the client is going to use it.",
        "Add its scheme to proxy.auth.registration.private_use_schemes.",
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
        "{url} was asked what these clients ask there.",
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
        "These clients open it themselves before the browser does, and the second time it was {status}.",
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
        "If this is Gatekit: proxy.auth.tokens.access_ttl of ten minutes or more.",
    ),
    "no-refresh": Words(
        "The refresh failed: {status} {error}",
        "{description} It was asked for as this client does: {form}.",
        "The gateway's log has the reason. People would have to sign in again every hour.",
    ),
    "call-failed": Words(
        "{what} with a good token was answered {status}",
        "{said}",
        "401: the token does not reach the gateway (the proxy drops or replaces Authorization). Otherwise "
        "the server behind it failed: its log is the gateway's.",
    ),
    "stream-held": Words(
        "Event streams are held back on the way",
        "A stream was opened, and {shown}. Progress and questions would arrive all at once at the end, or "
        "never.",
        "Switch buffering and compression off for the gateway (nginx: proxy_http_version 1.1; "
        "proxy_buffering off; gzip off;), and let streams live (proxy_read_timeout 1h;).",
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
    "one-address": Words(
        "To the gateway everybody has the proxy's address",
        "There is something in front of the gateway (public_url is not where it listens), and "
        "proxy.trusted_proxies is empty. Everybody shares one budget for registrations and sign-ins, and the "
        "audit trail shows one address.",
        "Set proxy.trusted_proxies to the network of the proxy, and let it send X-Forwarded-For (nginx: "
        "proxy_set_header X-Forwarded-For $remote_addr;).",
        "warning",
    ),
    "one-way": Words(
        "This machine cannot reach the gateway's public address",
        "{public}: {reason}. The gateway itself was looked at under {local}.",
        "If people reach it, that is fine: run `gatekit doctor {public}` where they are. If not, mend this "
        "first.",
        "warning",
    ),
    "secret-kept": Words(
        "The gateway was not looked at past the proxy, because a password or a key was given",
        "{public} cannot be reached from here. Under {local} the gateway is spoken to without TLS, and no "
        "secret is sent there.",
        "Run `gatekit doctor` without --user and --key to look past the proxy, or with them where {public} "
        "can be reached.",
        "warning",
    ),
}
