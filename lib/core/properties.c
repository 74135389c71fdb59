/* SPDX-License-Identifier: Apache-2.0
 * The table of configuration properties: everything an operator may set, said once. */
#include "core/config.h"

#define ANY_TEXT  0, 4096, 0
#define NAME_TEXT 0, 255, 0
#define EXABYTE   1152921504606846976.0

#define STRING(name, initial, doc)                                                                 \
    {                                                                                              \
        name, FEDN__STRING, FEDN__UNIT_NONE, ANY_TEXT, initial, doc                                \
    }
#define NAME(name, initial, doc)                                                                   \
    {                                                                                              \
        name, FEDN__STRING, FEDN__UNIT_NONE, NAME_TEXT, initial, doc                               \
    }
#define CHOICE(name, choices, initial, doc)                                                        \
    {                                                                                              \
        name, FEDN__STRING, FEDN__UNIT_NONE, 0, 64, choices, initial, doc                          \
    }
#define INTEGER(name, min, max, initial, doc)                                                      \
    {                                                                                              \
        name, FEDN__INTEGER, FEDN__UNIT_NONE, min, max, 0, initial, doc                            \
    }
#define BYTES(name, min, max, initial, doc)                                                        \
    {                                                                                              \
        name, FEDN__INTEGER, FEDN__UNIT_BYTES, min, max, 0, initial, doc                           \
    }
#define MILLIS(name, min, max, initial, doc)                                                       \
    {                                                                                              \
        name, FEDN__INTEGER, FEDN__UNIT_MS, min, max, 0, initial, doc                              \
    }
#define NUMBER(name, min, max, initial, doc)                                                       \
    {                                                                                              \
        name, FEDN__NUMBER, FEDN__UNIT_NONE, min, max, 0, initial, doc                             \
    }
#define BOOLEAN(name, initial, doc)                                                                \
    {                                                                                              \
        name, FEDN__BOOLEAN, FEDN__UNIT_NONE, 0, 1, 0, initial, doc                                \
    }

/* clang-format off */
const fedn__property fedn__properties[] = {
    CHOICE("log.level", "error|warning|info|debug", "info", "lines above this level are dropped"),

    STRING("client.api_url", "http://127.0.0.1:8092", "address of the reducer, which assigns a combiner"),
    STRING("client.combiner", "", "host:port of a combiner to dial without asking the reducer"),
    NAME("client.name", "", "name shown to people; empty: made from the id"),
    NAME("client.id", "", "identity; empty: a UUID that is kept in client.state_dir"),
    NAME("client.preferred_combiner", "", "name of the combiner to be assigned to, if it accepts"),
    STRING("client.token", "", "bearer token for reducer and combiner"),
    STRING("client.tls_ca", "", "PEM file of the authorities trusted for TLS; empty: the system's"),
    STRING("client.state_dir", "", "directory for models in work and the identity; empty: a temporary one"),
    CHOICE("client.package", "local|remote", "local", "where the code of the tasks comes from"),
    BOOLEAN("client.allow_remote_code", "false", "package remote: download the network's programs, and run them here"),
    NAME("client.package_checksum", "", "SHA-256 that a downloaded package must have; empty: what the reducer says"),
    NAME("client.model_format", "", "format of trained models; empty: what the session says"),
    MILLIS("client.heartbeat_ms", 50, 60000, "2000", "pause between heartbeats"),
    MILLIS("client.call_timeout_ms", 100, 3600000, "30000", "bound on one small call"),
    MILLIS("client.reconnect_min_ms", 10, 3600000, "500", "first pause after a lost connection"),
    MILLIS("client.reconnect_max_ms", 10, 86400000, "30000", "longest pause after repeated losses"),
    MILLIS("client.keep_after_ms", 0, 86400000, "0", "updates that took as long to train are kept in client.state_dir until delivered"),
    MILLIS("client.telemetry_ms", 0, 86400000, "60000", "pause between reports of the machine's processor and memory use; 0: none"),
    BYTES("client.max_model_bytes", 1, EXABYTE, "16G", "largest model that is downloaded"),

    NAME("combiner.name", "combiner", "name, unique in the network: letters, digits, _ and -"),
    STRING("combiner.listen", "0.0.0.0:12080", "address that clients connect to; port 0 takes a free one"),
    NAME("combiner.host", "", "host name that clients are told; empty: the listening address"),
    NAME("combiner.fqdn", "", "name of a TLS front at port 443 that clients are told instead"),
    STRING("combiner.reducer", "127.0.0.1:12090", "host:port of the tier above"),
    STRING("combiner.state_dir", "fedn-combiner", "directory for updates in work"),
    INTEGER("combiner.max_clients", 1, 1000000, "10000", "clients served at most"),
    INTEGER("combiner.max_uploads", 1, 1024, "256", "uploads in progress at most"),
    STRING("combiner.hooks", "", "host:port of FEDn's hooks service for server functions; empty: none"),
    STRING("combiner.aggregator_library", "", "shared objects with rules of aggregation, separated by commas"),
    INTEGER("combiner.workers", 1, 64, "2", "threads for disk and aggregation"),
    MILLIS("combiner.liveness_ms", 100, 3600000, "10000", "a client unseen for longer is inactive"),
    MILLIS("combiner.reconnect_max_ms", 10, 86400000, "10000", "longest pause between dialling the tier above"),
    MILLIS("combiner.drain_ms", 0, 3600000, "5000", "how long a stop waits for calls in progress"),
    BYTES("combiner.max_model_bytes", 1, EXABYTE, "16G", "largest model that is taken"),

    BYTES("combiner.max_spool_bytes", 0, EXABYTE, "0", "updates that are here at a time, in all; 0: as many as the disk takes"),
    BOOLEAN("combiner.reassign", "false", "obey calls that send clients to another combiner, or ask them to connect anew: for closed networks"),
    BYTES("combiner.checkpoint_bytes", 1, EXABYTE, "1G", "folded updates kept on disk, before the aggregate is written in their place"),

    STRING("reducer.listen", "0.0.0.0:12090", "address that combiners connect to; port 0 takes a free one"),
    STRING("reducer.http_listen", "0.0.0.0:8092", "address of the REST API; port 0 takes a free one"),
    STRING("reducer.url_prefix", "", "path under which the REST API answers as well; empty: none"),
    NAME("reducer.network_id", "fedn-network", "name of the network"),
    STRING("reducer.state_dir", "fedn-reducer", "directory for models and the embedded store"),
    STRING("reducer.store", "", "record store: sqlite:<file> or mem:; empty: sqlite in reducer.state_dir"),
    STRING("reducer.aggregator_library", "", "shared objects with rules of aggregation, separated by commas"),
    INTEGER("reducer.workers", 1, 64, "2", "threads for disk and aggregation"),
    MILLIS("reducer.drain_ms", 0, 3600000, "5000", "how long a stop waits for calls in progress"),
    BYTES("reducer.max_store_bytes", 0, EXABYTE, "0", "models that are stored, in all; 0: as many as the disk takes"),
    INTEGER("reducer.keep_models", 0, 1000000, "0", "files of models kept of each session, besides pinned ones; 0: all"),
    BYTES("reducer.max_model_bytes", 1, EXABYTE, "16G", "largest model that is taken"),

    STRING("control.url", "http://127.0.0.1:8092", "address of the reducer's REST API"),
    STRING("control.token", "", "bearer token for the REST API"),
    STRING("control.tls_ca", "", "PEM file of the authorities trusted for TLS; empty: the system's"),
    MILLIS("control.timeout_ms", 100, 3600000, "30000", "bound on one request"),

    NAME("session.name", "", "name shown to people"),
    NAME("session.model_id", "", "model to start from; empty: the newest"),
    NAME("session.aggregator", "fedavg", "rule that combines updates"),
    STRING("session.aggregator_kwargs", "", "parameters of the rule, a JSON object or a Python dictionary"),
    NAME("session.helper_type", "numpyhelper", "format of models on the wire"),
    INTEGER("session.rounds", 1, 1000000, "5", "rounds to run"),
    NUMBER("session.round_timeout", 0.05, 31536000, "180", "seconds after which a round ends with what it has"),
    INTEGER("session.buffer_size", -1, 100000, "-1", "updates per combiner that end a round; -1: all that were asked"),
    INTEGER("session.clients_required", 1, 100000, "1", "fewest active clients of a combiner that takes part"),
    CHOICE("session.mode", "sync|async", "sync", "async: updates of earlier models count too; buffer_size of them make a round"),
    INTEGER("session.max_staleness", 0, 64, "10", "models back that an asynchronous update may start from"),
    NUMBER("session.staleness_exponent", 0, 100, "0.5", "an update of s models ago weighs (1 + s) to the minus this"),
    INTEGER("session.ask", 0, 100000, "0", "clients a combiner asks, drawn by lot in each round; 0: all; see buffer_size"),
    NUMBER("session.straggler_quantile", 0, 1, "0", "of the times of earlier updates: a round waits for it times the factor; 0: until its time-out"),
    NUMBER("session.straggler_factor", 1, 1000, "1.5", "times the quantile, how long a round waits for the slow ones"),
    INTEGER("session.requested_clients", 1, 100000, "8", "clients wished for; informational, as in FEDn"),
    BOOLEAN("session.validate", "true", "validate each new model on the clients"),
    BOOLEAN("session.delete_models_storage", "true", "drop updates once they are folded"),
    STRING("session.client_ids", "", "comma-separated ids of the only clients to ask; empty: all"),
    {0, 0, 0, 0, 0, 0, 0, 0},
};
/* clang-format on */
