/* A Procfile from anywhere. */
#include "import_one.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	return import_one("/f/Procfile", "procfile", bytes, size);
}
