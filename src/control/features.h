/* What this build and this kernel offer: the object of `procd features --json` (interface 5). */
#ifndef CONTROL_FEATURES_H
#define CONTROL_FEATURES_H

#include "base/json.h"

/* May fork one short-lived child (keeper/features.h). A new reference. */
json_t *features_json(void);

#endif
