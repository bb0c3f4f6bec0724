package main

import "golang.org/x/sys/unix"

// diskFree is how many bytes an ordinary user can still write in a directory's
// file system.
func diskFree(dir string) (uint64, error) {
	var stat unix.Statfs_t
	if err := unix.Statfs(dir, &stat); err != nil {
		return 0, err
	}
	return stat.Bavail * uint64(stat.Bsize), nil
}
