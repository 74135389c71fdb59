/* SPDX-License-Identifier: Apache-2.0
 * Which release was loaded. */
#include <fedn/version.h>

int32_t fedn_version(void)
{
    return FEDN_VERSION_MAJOR * 1000000 + FEDN_VERSION_MINOR * 1000 + FEDN_VERSION_PATCH;
}

const char *fedn_version_string(void)
{
    return "libfedn " FEDN_VERSION_STRING " (stores: sqlite, mem; formats: npz, safetensors, raw)";
}
