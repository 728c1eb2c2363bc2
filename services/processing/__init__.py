"""The worker pool that turns masters into HLS and pictures into public images, and its two queues."""
