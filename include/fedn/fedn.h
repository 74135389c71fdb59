/* SPDX-License-Identifier: Apache-2.0
 * Everything but <fedn/ext/...>; the one include an application needs. */
#ifndef FEDN_FEDN_H
#define FEDN_FEDN_H

#include <fedn/aggregator.h>
#include <fedn/alloc.h>
#include <fedn/client.h>
#include <fedn/combiner.h>
#include <fedn/common.h>
#include <fedn/config.h>
#include <fedn/control.h>
#include <fedn/error.h>
#include <fedn/log.h>
#include <fedn/model.h>
#include <fedn/package.h>
#include <fedn/reducer.h>
#include <fedn/task.h>
#include <fedn/version.h>

#endif
