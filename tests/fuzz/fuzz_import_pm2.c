/* An ecosystem file of pm2 from anywhere. */
#include "import_one.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	return import_one("/f/ecosystem.json", "pm2", bytes, size);
}
