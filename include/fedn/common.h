/* SPDX-License-Identifier: Apache-2.0
 * Export and declaration macros that every public header uses. */
#ifndef FEDN_COMMON_H
#define FEDN_COMMON_H

#include <stdint.h>

#ifdef __cplusplus
#define FEDN_BEGIN_DECLS extern "C" {
#define FEDN_END_DECLS   }
#else
#define FEDN_BEGIN_DECLS
#define FEDN_END_DECLS
#endif

#if defined(__GNUC__)
#define FEDN_API       __attribute__((visibility("default")))
#define FEDN_NODISCARD __attribute__((warn_unused_result))
#else
#define FEDN_API
#define FEDN_NODISCARD
#endif

#endif
