/* The readers, one per format. PATH is a file, or a directory where the format has those. Fill IM;
 * -EINVAL when IM has a failure. Inside the import room only. */
#ifndef IMPORT_FORMATS_H
#define IMPORT_FORMATS_H

#include "import/files.h"

int import_supervisord(struct import *im, const char *path);
int import_procfile(struct import *im, const char *path);
int import_systemd(struct import *im, const char *path);
int import_rundir(struct import *im, const char *path);
int import_dinit(struct import *im, const char *path);
int import_pm2(struct import *im, const char *path);
int import_compose(struct import *im, const char *path);	/* and process-compose */

bool import_is_pm2(const char *text);

bool import_is_rundir(const struct import *im, const char *dir);
bool import_is_dinit(const char *text);
bool import_is_dinit_dir(const struct import *im, const char *dir);
bool import_is_unit_dir(const struct import *im, const char *dir);
/* The template that PATH, a unit that is no file, is an instance of; NULL: there is none. The
 * caller frees. */
char *import_unit_template(const struct import *im, const char *path);

#endif
