"""What touches the world: files, the network, the disk, the terminal. No adapter imports another."""
