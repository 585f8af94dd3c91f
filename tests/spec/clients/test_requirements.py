"""What real clients need, numbered, and the tests that hold it: a requirement without a test fails here.

The requirements were recorded from real clients; the tests are wherever they fit best. ``docs/clients.md``
says what the programs themselves do with a gateway (``scripts/clients`` runs them).
"""

from __future__ import annotations

import ast

import pytest

from tests.support.peers import ROOT

BROWSER = "tests/attack/test_browser.py"
CODES = "tests/attack/test_codes.py"
DOCTOR = "tests/journey/test_doctor.py"
DOCUMENTS = "tests/attack/test_documents.py"
DOOR = "tests/unit/gateway/test_door.py"
HANDSHAKE = "tests/unit/gateway/test_handshake.py"
HERE = "tests/spec/clients/test_sign_in.py"
REDIRECTS = "tests/attack/test_redirects.py"
REFRESH = "tests/attack/test_refresh.py"
REGISTRATION = "tests/attack/test_registration.py"
ROUTES = "tests/arch/test_routes.py"
SDKS = "tests/journey/test_official_clients.py"
STREAMABLE = "tests/spec/mcp_handshake/test_streamable_http.py"
TOKENS = "tests/attack/test_tokens.py"

REQUIREMENTS: dict[int, tuple[str, tuple[str, ...]]] = {
    1: (
        "the token is checked before everything else: GET, HEAD, POST and DELETE without one are 401",
        (
            f"{DOOR}::test_token_comes_before_everything_else",
            f"{ROUTES}::test_walk",
            f"{DOCTOR}::test_everybody_gets_into_a_healthy_gateway",
        ),
    ),
    2: (
        "WWW-Authenticate names resource_metadata and scope, an error only with a token; the body is JSON",
        (
            f"{DOOR}::test_token_comes_before_everything_else",
            f"{TOKENS}::test_T5_challenges_without_with_and_with_too_little_token",
            "tests/spec/rfc6750/test_bearer.py::test_3_no_error_code_without_a_token",
            f"{HERE}::test_2_the_challenge_to_the_letter",
        ),
    ),
    3: (
        "the challenge and the metadata name every scope a person's calls need; a denied tool is no 403",
        (
            f"{HERE}::test_3_the_scopes_of_the_challenge_are_those_of_the_document",
            f"{HANDSHAKE}::test_refused_tool_does_not_exist_for_the_caller",
        ),
    ),
    4: (
        "one resource document per endpoint, its resource the exact URL, none for the bare origin",
        (
            "tests/spec/rfc9728/test_protected_resource.py::test_3_3_resource_is_identical_to_the_url_used",
            f"{REDIRECTS}::test_D10_no_document_for_anything_else",
            f"{HERE}::test_4_the_issuer_is_spelt_the_same_everywhere",
        ),
    ),
    5: (
        "RFC 8414 metadata; the same at openid-configuration only with what OpenID requires",
        (
            "tests/spec/rfc8414/test_metadata.py::test_3_2_the_document",
            "tests/spec/rfc8414/test_metadata.py::test_openid_discovery_has_its_required_members",
        ),
    ),
    6: (
        "the members clients look for, endpoints at the root, no offline_access",
        (
            "tests/spec/rfc8414/test_metadata.py::test_3_2_the_document",
            "tests/spec/rfc8414/test_metadata.py::test_nothing_is_promised_that_is_not_there",
            f"{HERE}::test_6_endpoints_where_clients_guess_them",
        ),
    ),
    7: (
        "client metadata documents are announced only where they can be fetched",
        (f"{DOCUMENTS}::test_not_announced_and_not_fetched_unless_switched_on",),
    ),
    8: (
        "one registration with several kinds of redirect URI, unknown members, no User-Agent",
        (
            f"{HERE}::test_8_every_recorded_registration_is_taken_as_it_is",
            f"{DOCTOR}::test_everybody_gets_into_a_healthy_gateway",
            "tests/spec/rfc7591/test_registration.py::test_3_2_2_errors",
            "tests/spec/rfc7591/test_registration.py::test_2_unknown_members_are_ignored",
        ),
    ),
    9: (
        "hostile redirect URIs are invalid_redirect_uri, and the description says redirect_uri",
        (f"{REDIRECTS}::test_D3_registration_refuses",),
    ),
    10: (
        "the port of a loopback redirect is ignored, everything else is compared as it is",
        (
            f"{REDIRECTS}::test_D2_only_the_port_of_a_loopback_may_differ",
            "tests/spec/rfc8252/test_native.py::test_7_3_any_port_at_the_time_of_the_request",
            f"{HERE}::test_10_the_root_path_is_a_redirect_too",
        ),
    ),
    11: (
        "registrations outlive a restart, unused ones are collected, ten in a minute are no flood",
        (
            f"{REGISTRATION}::test_K1_registrations_survive_a_restart",
            f"{REGISTRATION}::test_K1_unused_registrations_expire_used_ones_stay",
            f"{HERE}::test_11_ten_registrations_in_a_minute_are_no_flood",
        ),
    ),
    12: (
        "an unknown client or redirect is a page that names the remedy; at /token 401 invalid_client",
        (
            f"{REDIRECTS}::test_D4_unknown_clients_never_redirect",
            f"{DOCUMENTS}::test_M1_redirects_are_not_followed",
            f"{DOCUMENTS}::test_M2_private_addresses_are_not_dialled",
        ),
    ),
    13: (
        "GET /authorize may be repeated; unknown parameters, no state, a long state; always iss",
        (
            "tests/spec/rfc6749/test_authorization.py::test_3_1_get_is_repeatable_and_post_is_the_same",
            "tests/spec/rfc6749/test_authorization.py::test_3_1_unknown_parameters_are_ignored",
            "tests/spec/rfc6749/test_authorization.py::test_4_1_2_no_state_no_state",
            "tests/spec/rfc6749/test_authorization.py::test_4_1_2_state_is_the_exact_value_received",
            "tests/spec/rfc6749/test_authorization.py::test_4_1_2_1_denial",
            "tests/spec/rfc9207/test_iss.py::test_2_in_success_and_error_alike",
        ),
    ),
    14: (
        "resource is optional, compared without its last slash and in any case, and may be repeated",
        (
            "tests/spec/rfc8707/test_resource.py::test_2_1_the_audience_is_what_was_asked_for",
            "tests/spec/rfc8707/test_resource.py::test_2_unknown_resources_are_invalid_target",
            "tests/unit/oauth/test_resources.py::test_spellings_of_one_resource",
            f"{REDIRECTS}::test_D7_repeated_resources_are_fine_if_they_are_known",
            f"{TOKENS}::test_T3_a_bare_origin_lets_the_person_pick",
        ),
    ),
    15: (
        "unknown scopes and offline_access are ignored, the granted scope is named",
        (
            "tests/spec/rfc6749/test_authorization.py::test_3_3_the_granted_scope_is_named",
            f"{REFRESH}::test_R5_scopes_that_mean_nothing_here_are_no_widening",
        ),
    ),
    16: (
        "session and consent are remembered; forms need no JavaScript and no policy stops the redirect",
        (
            f"{HERE}::test_16_a_second_start_asks_nobody_anything",
            f"{HERE}::test_16_the_pages_work_without_scripts_and_lead_to_the_client",
            f"{BROWSER}::test_B2_cookies_are_host_bound_and_expire",
        ),
    ),
    17: (
        "none, client_secret_post and client_secret_basic; PKCE verifiers up to 128 characters",
        (
            "tests/spec/rfc6749/test_token.py::test_2_3_1_basic_credentials_are_form_encoded",
            "tests/spec/rfc7636/test_pkce.py::test_4_1_every_unreserved_character_and_both_lengths",
            f"{REGISTRATION}::test_A1_the_registered_method_and_no_other",
            f"{REGISTRATION}::test_A1_a_secret_from_a_public_client_is_refused",
            f"{REDIRECTS}::test_D2_the_token_request_repeats_the_used_uri",
        ),
    ),
    18: (
        "the token answer is JSON that nobody stores, with a number, a scope and a refresh token",
        (
            "tests/spec/rfc6749/test_token.py::test_5_1_the_successful_answer",
            "tests/spec/rfc6749/test_token.py::test_5_2_errors",
        ),
    ),
    19: (
        "refresh tokens rotate with a grace in which parallel copies get the same successor",
        (
            f"{REFRESH}::test_R1_a_used_token_yields_the_same_successor_within_its_grace",
            f"{REFRESH}::test_R2_reuse_after_the_grace_fells_the_family",
            f"{REFRESH}::test_R3_parallel_copies_share_one_successor",
            f"{DOCTOR}::test_somebody_signs_in_and_nothing_is_left",
            "tests/spec/rfc6749/test_token.py::test_6_refresh_without_resource_and_with_the_same_scope",
        ),
    ),
    20: (
        "codes work once and not for long; a revocation is effective at once",
        (
            f"{CODES}::test_C1_code_replay_fells_every_token_of_the_grant",
            f"{CODES}::test_C3_codes_die_after_sixty_seconds",
            f"{TOKENS}::test_T7_revocation_is_effective_at_once",
            "tests/journey/test_other_clients.py::test_oauth_libraries",
        ),
    ),
    21: (
        "no MCP-Protocol-Version, requests before initialized, several sessions, none ended",
        (
            f"{STREAMABLE}::test_without_a_version_header_the_sessions_own_counts",
            f"{STREAMABLE}::test_an_ended_session_must_be_404",
            f"{HANDSHAKE}::test_session_is_needed_and_is_somebodys",
            "tests/spec/clients/test_transport.py::test_21_a_request_before_initialized_is_answered",
            "tests/spec/clients/test_transport.py::test_21_one_token_has_several_sessions",
        ),
    ),
    22: (
        "every era on one path, chosen by the request",
        (
            f"{SDKS}::test_python_sdk",
            f"{SDKS}::test_typescript_sdk",
            "tests/journey/upstream/test_eras.py::test_handshake_client_and_handshake_server",
            "tests/journey/upstream/test_eras.py::test_stateless_client_and_stateless_server",
        ),
    ),
    23: (
        "progress, logging, sampling, elicitation and list changes go both ways",
        (
            f"{HANDSHAKE}::test_progress_arrives_on_the_calls_own_stream",
            f"{HANDSHAKE}::test_server_asks_in_the_middle_of_a_call",
            f"{HANDSHAKE}::test_list_change_arrives_on_the_get_stream",
            "tests/journey/test_questions.py::test_published_server_asks_an_official_client",
            "tests/unit/gateway/test_feeds.py::test_updates_reach_streams_and_sessions_alike",
            "tests/properties/test_passing.py::test_unknown_methods_pass_both_ways",
        ),
    ),
    24: (
        "a foreign Host or Origin is 403, loopback and configured origins are not",
        (
            f"{ROUTES}::test_a_foreign_host_is_refused_on_every_route",
            f"{ROUTES}::test_a_foreign_page_is_refused_even_with_a_token",
            f"{DOOR}::test_loopback_origin_may_read_the_answer",
        ),
    ),
    25: (
        "preflights need no token; CORS also on refusals, and not on pages",
        (
            f"{REDIRECTS}::test_D10_cors_is_open_on_discovery_registration_and_token",
            f"{DOOR}::test_preflight_needs_no_token",
            "tests/spec/clients/test_transport.py::test_25_the_preflights_that_were_seen",
        ),
    ),
}
"""Number → what clients need, and the tests that fail when they do not get it."""


def test_every_requirement_has_a_test() -> None:
    assert set(REQUIREMENTS) == set(range(1, 26))
    assert all(tests for _, tests in REQUIREMENTS.values())


@pytest.mark.parametrize("number", REQUIREMENTS)
def test_its_tests_exist(number: int) -> None:
    for name in REQUIREMENTS[number][1]:
        path, _, function = name.partition("::")
        tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
        defined = {
            node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        }
        assert function in defined, name
