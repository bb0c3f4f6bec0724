package objects

import (
	"cmp"
	"context"
	"errors"
	"io/fs"
	"path"
	"slices"
	"strings"

	"hearth"
)

// Query says which objects of a bucket to list.
type Query struct {
	Prefix    string // only keys that begin with it
	Delimiter string // keys with it after the prefix are listed as one common prefix
	After     string // only what comes after this key or common prefix
	Limit     int    // at most that many keys and common prefixes together
}

// Listing is a part of a bucket, in the order of the keys' bytes.
type Listing struct {
	Objects  []Info
	Prefixes []string // common prefixes
	Next     string   // After for the part that follows; "" when nothing does
}

// List lists objects. It returns KindNotFound when there is no such bucket.
func (s *Store) List(ctx context.Context, bucket string, q Query) (Listing, error) {
	if _, err := s.bucket(bucket); err != nil {
		return Listing{}, err
	}
	if q.Limit <= 0 {
		return Listing{}, nil
	}
	l := lister{ctx: ctx, store: s, query: q}
	if group, ok := l.group(q.After); ok && group == q.After {
		l.skip = group
	}
	base := q.Prefix[:strings.LastIndexByte(q.Prefix, '/')+1]
	if err := l.walk(path.Join(bucket, folderPath(base)), base); err != nil {
		return Listing{}, err
	}
	return l.listing, nil
}

// lister walks a bucket's folders in the order of keys and fills a Listing.
type lister struct {
	ctx     context.Context
	store   *Store
	query   Query
	skip    string // a common prefix that is done
	last    string // what was listed last
	full    bool
	listing Listing
}

// walk lists the keys that begin with base, which are in folder.
func (l *lister) walk(folder, base string) error {
	if err := l.ctx.Err(); err != nil {
		return err
	}
	parts, err := l.store.parts(folder, "")
	if err != nil {
		return fileError(err, "listing objects")
	}
	for _, p := range parts {
		name := base + p.text
		switch {
		case !l.wants(name, p.folder):
		case p.folder:
			err = l.walk(p.path, name)
		default:
			err = l.add(name, p.path)
		}
		if err != nil || l.full {
			return err
		}
	}
	return nil
}

// wants reports whether a key, or any key that begins with a folder's name, is
// to be looked at.
func (l *lister) wants(name string, folder bool) bool {
	if l.skip != "" && strings.HasPrefix(name, l.skip) {
		return false
	}
	if folder {
		return (strings.HasPrefix(name, l.query.Prefix) || strings.HasPrefix(l.query.Prefix, name)) &&
			(name > l.query.After || strings.HasPrefix(l.query.After, name))
	}
	return strings.HasPrefix(name, l.query.Prefix) && name > l.query.After
}

func (l *lister) add(key, file string) error {
	group, grouped := l.group(key)
	var info Info
	if !grouped {
		var err error
		info, err = l.store.stat(file, key)
		if isNotExist(err) {
			return nil // gone since its folder was read
		}
		if err != nil {
			return fileError(err, "listing objects")
		}
	}
	if len(l.listing.Objects)+len(l.listing.Prefixes) == l.query.Limit {
		l.listing.Next, l.full = l.last, true
		return nil
	}
	if grouped {
		l.listing.Prefixes = append(l.listing.Prefixes, group)
		l.skip, l.last = group, group
		return nil
	}
	l.listing.Objects = append(l.listing.Objects, info)
	l.last = key
	return nil
}

// group gives the common prefix that a key is listed under.
func (l *lister) group(key string) (string, bool) {
	rest, ok := strings.CutPrefix(key, l.query.Prefix)
	if !ok || l.query.Delimiter == "" {
		return "", false
	}
	i := strings.Index(rest, l.query.Delimiter)
	if i < 0 {
		return "", false
	}
	return key[:len(l.query.Prefix)+i+len(l.query.Delimiter)], true
}

// A part is what stands in keys between two slashes, or after the last one.
type part struct {
	text   string // with the slash when folder
	folder bool
	path   string
}

// parts lists the parts of keys in a folder, in the order of the keys. cut is
// the beginning of all parts in it, when it is the folder of a part that was
// too long for one name. Files that are not ours are left out, and so is
// everything in a folder that is not there.
func (s *Store) parts(folder, cut string) ([]part, error) {
	entries, err := fs.ReadDir(s.root.FS(), folder)
	if isNotExist(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var parts []part
	for _, e := range entries {
		file := path.Join(folder, e.Name())
		switch {
		case e.Type().IsRegular():
			name := e.Name()
			if name == emptyName {
				name = ""
			}
			if text, ok := whole(cut, name, file, false); ok {
				parts = append(parts, part{text: text, path: file})
			}
		case !e.IsDir():
		case strings.HasSuffix(e.Name(), folderMark):
			if text, ok := whole(cut, strings.TrimSuffix(e.Name(), folderMark), file, true); ok {
				parts = append(parts, part{text: text + "/", folder: true, path: file})
			}
		case strings.HasSuffix(e.Name(), cutMark):
			if begin, ok := unescape(strings.TrimSuffix(e.Name(), cutMark)); ok {
				rest, err := s.parts(file, cut+begin)
				if err != nil {
					return nil, err
				}
				parts = append(parts, rest...)
			}
		}
	}
	slices.SortFunc(parts, func(a, b part) int { return cmp.Compare(a.text, b.text) })
	return parts, nil
}

// whole reads back a part from the end of its path. It reports false when the
// part would not have been written there.
func whole(cut, name, file string, folder bool) (string, bool) {
	rest, ok := unescape(name)
	text := cut + rest
	written := namePath(text, folder)
	return text, ok && (file == written || strings.HasSuffix(file, "/"+written))
}

// stat describes the object in file, without a look into it where its
// description is there. Of one that cannot be decrypted it tells what its file
// does, so that one damaged object does not hide all others.
func (s *Store) stat(file, key string) (Info, error) {
	stat, info, known, err := s.look(file, key)
	if err != nil || known {
		return info, err
	}
	o, err := s.openFile(file, key)
	if errors.Is(err, errUnreadable) {
		return Info{Key: key, Size: stat.Size(), ModifiedAt: stat.ModTime(), Encryption: hearth.SSES3}, nil
	}
	if err != nil {
		return Info{}, err
	}
	defer o.Close()
	return o.Info, nil
}

func (s *Store) look(file, key string) (stat fs.FileInfo, info Info, known bool, err error) {
	lock := s.lock(file)
	lock.RLock()
	defer lock.RUnlock()

	if stat, err = s.root.Stat(file); err == nil {
		info, known = s.info(file, stat, key)
	}
	return stat, info, known, err
}
