/*
 * First program of the disk (EFI/BOOT/BOOTX64.EFI): starts systemd-boot, and restarts the computer when
 * that comes back. systemd-boot of version 257 leaves to the firmware when it can't start a kernel image
 * (not signed, damaged), and a firmware then waits at a prompt for somebody to press a key. A restart
 * spends the next try of that image instead, until the other slot's turn comes.
 * From version 258 on, systemd-boot does this by itself (loader.conf, reboot-on-error): then this can go.
 *
 * Source: UEFI Specification 2.10, §4.3, §4.5 (tables), §7.4 (LoadImage, StartImage), §8.5.1 (ResetSystem),
 * §9.1 (loaded image), §10.2 and §10.3.5.4 (device paths). No header but this file: what isn't used is a blank.
 */
typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long long u64;
typedef u64 status;
typedef void *handle;
#define API __attribute__((ms_abi))

struct guid { u32 a; u16 b, c; u8 d[8]; };
struct node { u8 type, subtype, length[2]; };

struct text_output { void *reset; status (API *output)(struct text_output *, const u16 *); };

struct boot_services {
  u8 header[24];
  void *until_handle_protocol[16];
  status (API *handle_protocol)(handle, const struct guid *, void **);
  void *until_load_image[5];
  status (API *load_image)(u8 by_policy, handle parent, struct node *path, void *source, u64 bytes, handle *image);
  status (API *start_image)(handle, u64 *, u16 **);
  void *until_stall[4];
  status (API *stall)(u64 microseconds);
};

struct runtime_services {
  u8 header[24];
  void *until_reset[10];
  void (API *reset)(int how, status why, u64 bytes, void *data);
};

struct system_table {
  u8 header[24];
  u16 *vendor; u32 revision; u32 blank;
  handle input_handle; void *input;
  handle output_handle; struct text_output *output;
  handle error_handle; struct text_output *error;
  struct runtime_services *runtime;
  struct boot_services *boot;
};

struct loaded_image { u32 revision; handle parent; struct system_table *system; handle device; };

static const struct guid LOADED_IMAGE = { 0x5b1b31a1, 0x9562, 0x11d2, { 0x8e, 0x3f, 0x00, 0xa0, 0xc9, 0x69, 0x72, 0x3b } };
static const struct guid DEVICE_PATH = { 0x09576e91, 0x6d3f, 0x11d2, { 0x8e, 0x39, 0x00, 0xa0, 0xc9, 0x69, 0x72, 0x3b } };
static const u16 LOADER[] = u"\\EFI\\systemd\\systemd-bootx64.efi";
static const u16 GOODBYE[] = u"DRIMbox: no kernel image could be started. Restarting.\r\n";

enum { END = 0x7f, MEDIA = 4, FILE_PATH = 4, COLD = 0 };
/* A partition's path is some 80 bytes: controller, disk, partition. */
#define PATH_BYTES 1024
/* So that a box of which nothing starts doesn't restart several times a second. */
#define PAUSE_MICROSECONDS (5 * 1000 * 1000)

static u64 length_of(const struct node *node) { return node->length[0] | (u64) node->length[1] << 8; }

static void copy(u8 *to, const void *from, u64 bytes) {
  for (u64 i = 0; i < bytes; i++) ((volatile u8 *) to)[i] = ((const u8 *) from)[i];
}

/* The path of LOADER on `device`: that of the device, without its end, then the file, then an end. */
static int path_of_loader(const u8 *device, u8 *path) {
  u64 at = 0;
  for (const struct node *node = (const void *) device; node->type != END; node = (const void *) (device + at)) {
    u64 bytes = length_of(node);
    if (bytes < sizeof *node || at + bytes + 2 * sizeof *node + sizeof LOADER > PATH_BYTES) return 0;
    copy(path + at, node, bytes);
    at += bytes;
  }
  struct node file = { MEDIA, FILE_PATH, { sizeof file + sizeof LOADER, 0 } };
  copy(path + at, &file, sizeof file);
  copy(path + at + sizeof file, LOADER, sizeof LOADER);
  struct node end = { END, 0xff, { sizeof end, 0 } };
  copy(path + at + sizeof file + sizeof LOADER, &end, sizeof end);
  return 1;
}

API status start(handle image, struct system_table *system) {
  struct boot_services *boot = system->boot;
  struct loaded_image *loaded;
  u8 *device, path[PATH_BYTES];
  handle loader;

  if (boot->handle_protocol(image, &LOADED_IMAGE, (void **) &loaded) == 0
      && boot->handle_protocol(loaded->device, &DEVICE_PATH, (void **) &device) == 0
      && path_of_loader(device, path)
      && boot->load_image(0, image, (struct node *) path, 0, 0, &loader) == 0) {
    boot->start_image(loader, 0, 0);
  }
  if (system->output) system->output->output(system->output, GOODBYE);
  boot->stall(PAUSE_MICROSECONDS);
  system->runtime->reset(COLD, 0, 0, 0);
  return 0;
}
