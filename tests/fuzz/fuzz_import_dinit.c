/* A service of dinit from anywhere. */
#include "import_one.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	return import_one("/f/web", "dinit", bytes, size);
}
