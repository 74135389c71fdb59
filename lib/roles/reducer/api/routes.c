/* SPDX-License-Identifier: Apache-2.0
 * The table of REST routes. Literal segments win over "{...}": what a kind has beside the standard
 * five is a row of its own. */
#include "roles/reducer/api/api.h"

const fedn__http_route fedn__api_routes[] = {
    {"GET", "/health", fedn__api_health, 0},
    {"GET", "/get_controller_status", fedn__api_controller_status, 0},

    {"GET", "/api/v1/status", fedn__api_status, 0},
    {"GET", "/api/v1/events", fedn__api_events, 0},

    {"POST", "/api/v1/clients/add", fedn__api_add_client, 0},
    {"POST", "/api/v1/models", fedn__api_add_model, 1},
    {"PATCH", "/api/v1/models/{id}", fedn__api_patch_model, 0},
    {"GET", "/api/v1/models/{id}/download", fedn__api_download_model, 0},
    {"POST", "/api/v1/sessions", fedn__api_add_session, 0},
    {"POST", "/api/v1/sessions/start", fedn__api_start_session, 0},
    {"PATCH", "/api/v1/sessions/{id}", fedn__api_patch_session, 0},
    {"POST", "/api/v1/predictions/start", fedn__api_start_prediction, 0},
    {"GET", "/api/v1/helpers/active", fedn__api_get_helper, 0},
    {"PUT", "/api/v1/helpers/active", fedn__api_set_helper, 0},

    {"GET", "/api/v1/{entity}", fedn__api_list, 0},
    {"POST", "/api/v1/{entity}/list", fedn__api_list_by_body, 0},
    {"GET", "/api/v1/{entity}/count", fedn__api_count, 0},
    {"POST", "/api/v1/{entity}/count", fedn__api_count_by_body, 0},
    {"GET", "/api/v1/{entity}/{id}", fedn__api_get, 0},
};

uint32_t fedn__api_route_count(void)
{
    return sizeof fedn__api_routes / sizeof fedn__api_routes[0];
}
