/* SPDX-License-Identifier: Apache-2.0
 * The REST API: one table of routes, and the handlers that it names. Handlers run on their
 * connection's thread. */
#ifndef FEDN__ROLES_REDUCER_API_H
#define FEDN__ROLES_REDUCER_API_H

#include "http/server.h"
#include "roles/reducer/service.h"

extern const fedn__http_route fedn__api_routes[];
uint32_t fedn__api_route_count(void);

typedef void fedn__api_handler(void *service, const fedn__http_request *request,
                               fedn__http_response *response);

/* records.c: the standard five of every kind */
fedn__api_handler fedn__api_list, fedn__api_list_by_body, fedn__api_count, fedn__api_count_by_body,
    fedn__api_get;
/* A record as clients see it: all fields of its kind, dates as RFC 7231 writes them. Takes
 * `document` over; so does the next, an array of them. NULL out of memory. */
json_t *fedn__api_show(int32_t kind, json_t *document);
json_t *fedn__api_show_all(int32_t kind, json_t *found);
/* Removes a record, and answers with the message, or that there is none. */
void fedn__api_remove(fedn__reducer_service *service, int32_t kind, const char *id,
                      const char *message, fedn__http_response *response);

/* clients.c, combiners.c, attributes.c */
fedn__api_handler fedn__api_add_client, fedn__api_remove_client, fedn__api_client_config;
fedn__api_handler fedn__api_remove_combiner, fedn__api_count_combiner_clients;
fedn__api_handler fedn__api_add_telemetry, fedn__api_add_attribute, fedn__api_current_attributes,
    fedn__api_client_attributes;
/* models.c, model_change.c, lineage.c, parameters.c */
fedn__api_handler fedn__api_add_model, fedn__api_download_model;
fedn__api_handler fedn__api_patch_model, fedn__api_put_model;
fedn__api_handler fedn__api_model_ancestors, fedn__api_model_descendants, fedn__api_leaf_models;
fedn__api_handler fedn__api_model_parameters;
/* The file of a model by the id in a path, which comes back as we write it. */
fedn_status fedn__api_open_model(fedn__reducer_service *service, const char *given,
                                 char ret_id[FEDN__UUID_TEXT], fedn__blob **ret, fedn_error *err);
/* The newest model's id; FEDN_ERR_NOT_FOUND "no model: ..." */
fedn_status fedn__api_newest_model(fedn__reducer_service *service, char ret[FEDN__UUID_TEXT],
                                   fedn_error *err);
/* sessions.c, session_change.c */
fedn__api_handler fedn__api_add_session, fedn__api_start_session, fedn__api_patch_session,
    fedn__api_put_session;
/* predictions.c */
fedn__api_handler fedn__api_start_prediction;
/* packages.c */
fedn__api_handler fedn__api_add_package, fedn__api_get_active_package, fedn__api_set_active_package,
    fedn__api_remove_active_package, fedn__api_download_package, fedn__api_package_checksum;
/* FEDN_ERR_NOT_FOUND: none is. Caller json_decref()s. */
fedn_status fedn__api_active_package(const fedn__reducer_service *service, json_t **ret,
                                     fedn_error *err);
/* helpers.c */
fedn__api_handler fedn__api_get_helper, fedn__api_set_helper;
/* The active helper's name into `ret`; FEDN_ERR_NOT_FOUND: none was set. */
enum { FEDN__HELPER_TEXT = 64 };
fedn_status fedn__api_active_helper(const fedn__reducer_service *service,
                                    char ret[FEDN__HELPER_TEXT], fedn_error *err);
/* FEDN_ERR_INVALID lists FEDN's names. */
fedn_status fedn__api_check_helper(const char *name, fedn_error *err);
fedn_status fedn__api_store_helper(const fedn__reducer_service *service, const char *name,
                                   fedn_error *err);
/* status.c */
fedn__api_handler fedn__api_health, fedn__api_controller_status, fedn__api_status;
/* events.c, openapi.c */
fedn__api_handler fedn__api_events, fedn__api_document;
/* retired.c: 410 and 501 with the row's summary as the message */
fedn__api_handler fedn__api_gone, fedn__api_not_here;

#endif
