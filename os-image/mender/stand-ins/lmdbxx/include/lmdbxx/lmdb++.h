// In the place of the git submodule: Debian's header, which lies one folder up. It is an older one
// with other templates; what follows from that is in ../../../../debian-13.patch.
#include <lmdb++.h>
