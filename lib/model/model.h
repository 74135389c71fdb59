/* SPDX-License-Identifier: Apache-2.0
 * A model from the inside. */
#ifndef FEDN__MODEL_MODEL_H
#define FEDN__MODEL_MODEL_H

#include "model/index.h"

/* No tensor may be added from now on. */
void fedn__model_seal(fedn_model *model);
const fedn__index *fedn__model_index(const fedn_model *model);

#endif
