/* Debug information by elfutils' libdw, which is loaded when the first file is asked about: its 0.5
 * MiB are for who symbolizes. Without it (built or run) there is just nothing known. */
#ifndef PROFILE_DWARF_H
#define PROFILE_DWARF_H

#include "profile/symbols.h"

struct dwarf;
/* FD stays the caller's. NULL: no libdw, or it cannot read the file; the others take NULL. */
struct dwarf *dwarf_new(int fd, const char *name);
void dwarf_free(struct dwarf *d);
bool dwarf_has_lines(const struct dwarf *d);
/* As symbols_find(), by the address that the file was linked to. */
size_t dwarf_find(struct dwarf *d, uint64_t address, struct symbol_frame *out, size_t max);

#endif
