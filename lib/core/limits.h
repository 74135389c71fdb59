/* SPDX-License-Identifier: Apache-2.0
 * Every fixed ceiling of the library, by name; what an operator may change is a property instead.
 */
#ifndef FEDN__CORE_LIMITS_H
#define FEDN__CORE_LIMITS_H

#define FEDN__KIB ((uint64_t)1024)
#define FEDN__MIB ((uint64_t)1048576)
#define FEDN__GIB ((uint64_t)1073741824)

/* wire */
#define FEDN__LIMIT_CHUNK_BYTES      FEDN__MIB         /* model bytes in one chunk message, sent */
#define FEDN__LIMIT_MESSAGE_BYTES    (4 * FEDN__MIB)   /* one received gRPC message */
#define FEDN__LIMIT_CONTROL_BYTES    (256 * FEDN__KIB) /* one received message that is no chunk */
#define FEDN__LIMIT_INLINE_MODEL     (128 * FEDN__KIB) /* a model inside of a task or answer */
#define FEDN__LIMIT_TIER_BYTES       (FEDN__LIMIT_MESSAGE_BYTES - 64 * FEDN__KIB) /* of Attach */
#define FEDN__LIMIT_STREAM_QUEUE     256       /* messages waiting on one outgoing stream */
#define FEDN__LIMIT_HTTP_BODY        FEDN__MIB /* a JSON body */
#define FEDN__LIMIT_HTTP_CONNECTIONS 1024
#define FEDN__LIMIT_HTTP_ANSWER      (64 * FEDN__MIB) /* a JSON answer that a client takes */
#define FEDN__LIMIT_HTTP_HEAD        (64 * FEDN__KIB) /* request line and headers */
#define FEDN__LIMIT_HTTP_SEGMENTS    16               /* of a path */
#define FEDN__LIMIT_HTTP_PAIRS       64               /* query parameters; form fields */
#define FEDN__LIMIT_HTTP_HEADERS     16               /* that a handler adds */
#define FEDN__LIMIT_HTTP_DRAIN       (8 * FEDN__MIB)  /* of a refused body, read anyway */
#define FEDN__LIMIT_HTTP_SLOWEST     1024             /* bytes a second that a body must bring */
#define FEDN__LIMIT_HTTP_REDIRECTS   5
#define FEDN__LIMIT_API_IDS          1024   /* clients that one request asks about */
#define FEDN__LIMIT_API_GENERATIONS  100000 /* of models in one answer */

/* calls */
#define FEDN__LIMIT_CALLS          100000            /* open on one listener */
#define FEDN__LIMIT_STREAM_BYTES   (16 * FEDN__MIB)  /* heap of what waits on an outgoing stream */
#define FEDN__LIMIT_MESSAGE_DEPTH  16                /* messages inside a received message */
#define FEDN__LIMIT_MESSAGE_PIECES 65536             /* slices of one received message */
#define FEDN__LIMIT_STATUS_TEXT    1024              /* text of the status that ends a call */
#define FEDN__LIMIT_METADATA_VALUE 8192              /* one value of a call's metadata */
#define FEDN__LIMIT_MEMORY_MODEL   (256 * FEDN__KIB) /* held in memory; a larger one in a file */
#define FEDN__LIMIT_TURNS          8                 /* uploads let in at once, or two fast ones */
#define FEDN__LIMIT_TURN_FAST      (512 * FEDN__KIB) /* what a fast one moves in an interval */
#define FEDN__LIMIT_TURN_MS        50                /* such an interval */
#define FEDN__LIMIT_STALL_MS       600000            /* a model transfer that does not move */
#define FEDN__LIMIT_PART_MS        3600000           /* what came of a model, kept to go on with */
#define FEDN__LIMIT_PARTS          16                /* of them in one directory */

/* texts from peers */
#define FEDN__LIMIT_NAME_BYTES        255   /* names of clients, combiners, sessions, metrics */
#define FEDN__LIMIT_ID_BYTES          63    /* round ids, client ids */
#define FEDN__LIMIT_DESCRIPTION_BYTES 4096  /* of a compute package */
#define FEDN__DIGEST_BYTES            16    /* XXH3-128 */
#define FEDN__LIMIT_TEXT_BYTES        4096  /* a reason, a status line */
#define FEDN__LIMIT_SOURCE_BYTES      49152 /* of a session's server functions */
#define FEDN__LIMIT_JSON_DEPTH        32    /* nesting */

/* record store */
#define FEDN__LIMIT_FILTERS      32               /* in one query */
#define FEDN__LIMIT_RECORD_BYTES (16 * FEDN__MIB) /* one document as text */

/* models */
#define FEDN__LIMIT_TENSORS            100000
#define FEDN__LIMIT_TENSOR_NAME        255
#define FEDN__LIMIT_NPY_HEADER         (64 * FEDN__KIB)
#define FEDN__LIMIT_ZIP_DIRECTORY      (64 * FEDN__MIB) /* of an npz file */
#define FEDN__LIMIT_KEPT_BYTES         (64 * FEDN__MIB) /* inflated, of a file read twice */
#define FEDN__LIMIT_COLUMN_WINDOW      (64 * FEDN__MIB) /* rows of a column-major tensor */
#define FEDN__LIMIT_COLUMN_TENSOR      FEDN__GIB /* column-major, when it must be held whole */
#define FEDN__LIMIT_HEADER_MEMBER      FEDN__MIB /* one member of a safetensors header */
#define FEDN__LIMIT_SAFETENSORS_HEADER (100 * FEDN__MIB)
#define FEDN__LIMIT_WEIGHT             1e15 /* of one model */
#define FEDN__LIMIT_WEIGHT_LEAST       1e-15
#define FEDN__LIMIT_WEIGHT_TOTAL       1e24             /* of one aggregate */
#define FEDN__LIMIT_VALUE              1e280            /* of a float64 element: sums stay finite */
#define FEDN__LIMIT_PARTIAL_TEXT       (64 * FEDN__MIB) /* the description inside a partial */
#define FEDN__LIMIT_REGISTRY           64               /* plugged-in formats, aggregators */
#define FEDN__LIMIT_METRICS            256              /* names in one result */

/* compute packages, unpacked */
#define FEDN__LIMIT_PACKAGE_MEMBERS 10000
#define FEDN__LIMIT_PACKAGE_BYTES   (8 * FEDN__GIB)
#define FEDN__LIMIT_PACKAGE_FILE    (4 * FEDN__GIB)
#define FEDN__LIMIT_PACKAGE_SMALL   (64 * FEDN__MIB) /* up to here any ratio is fine */
#define FEDN__LIMIT_PACKAGE_RATIO   200              /* times the archive's bytes */
#define FEDN__LIMIT_PACKAGE_PATH    1024
#define FEDN__LIMIT_PACKAGE_DEPTH   32
#define FEDN__LIMIT_PACKAGE_YAML    (256 * FEDN__KIB) /* fedn.yaml, and the environment file */

/* roles */
#define FEDN__LIMIT_COMBINERS        1024
#define FEDN__LIMIT_CLIENTS          1000000
#define FEDN__LIMIT_ROUND_CLIENTS    100000
#define FEDN__LIMIT_UPLOADS          1024 /* uploads in progress on one listener */
#define FEDN__LIMIT_STALENESS        64 /* models back that an asynchronous update may start from */
#define FEDN__LIMIT_JOURNAL_RECORD   (64 * FEDN__MIB) /* a plan, a small model and who is asked */
#define FEDN__LIMIT_WORKERS          64
#define FEDN__LIMIT_EVENTS           4096             /* kept for readers of the event stream */
#define FEDN__LIMIT_EVENT_BYTES      (64 * FEDN__MIB) /* of them together */
#define FEDN__LIMIT_BACKLOG          20000            /* records waiting to be written */
#define FEDN__LIMIT_ROSTER_EVENTS    256              /* client events of one message */
#define FEDN__LIMIT_REPORT_GRACE_MS  60000            /* for reports, after a round's time-out */
#define FEDN__LIMIT_COMBINER_GONE_MS 30000            /* a link cut for longer loses the round */
#define FEDN__LIMIT_FAILED_ROUNDS    3                /* in a row, that end a session */
#define FEDN__LIMIT_CLIENT_TASKS     16               /* waiting behind the one a client works on */
#define FEDN__LIMIT_RESULT_BYTES     (128 * FEDN__KIB) /* JSON of one validation or prediction */
#define FEDN__LIMIT_ANSWER_BYTES     (64 * FEDN__KIB)  /* a reducer's answer to an assignment */
#define FEDN__LIMIT_CONFIG_FILE      FEDN__MIB
#define FEDN__LIMIT_PEM_FILE         (4 * FEDN__MIB) /* certificates that are trusted */
#define FEDN__LIMIT_CONFIG_DEPTH     8               /* nested maps of property names */
#define FEDN__LIMIT_CONFIG_BRACKETS  200             /* open at once, in the text */
#define FEDN__LIMIT_CONFIG_NODES     10000 /* visits: an alias can name one map many times */

#include <stdint.h>

#endif
