/* YAML of process-compose or compose from anywhere. */
#include "import_one.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	return import_one("/f/compose.yaml", "compose", bytes, size);
}
