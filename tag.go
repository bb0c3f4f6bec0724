package hearth

import (
	"maps"
	"slices"
	"strings"
)

// MaxTags is the most tags that one thing may have (Athena's quotas page).
const MaxTags = 50

// Tag is a name with a value that people give to what is theirs.
type Tag struct{ Key, Value string }

// Tags are all tags of one thing.
type Tags map[string]string

// NewTags makes Tags of a list. It returns KindInvalid for a key that is
// missing, reserved or there twice, and over MaxTags.
func NewTags(list []Tag) (Tags, error) {
	tags := make(Tags, len(list))
	for _, tag := range list {
		if tag.Key == "" {
			return nil, Errorf(KindInvalid, "A tag has no key. Give each tag a Key.")
		}
		if strings.HasPrefix(strings.ToLower(tag.Key), "aws:") {
			return nil, Errorf(KindInvalid, "The tag key %q is reserved: keys may not begin with \"aws:\".", tag.Key)
		}
		if _, twice := tags[tag.Key]; twice {
			return nil, Errorf(KindInvalid, "The tag key %q is given twice.", tag.Key)
		}
		tags[tag.Key] = tag.Value
	}
	return tags, tags.Check()
}

// Check returns KindInvalid for more than MaxTags.
func (t Tags) Check() error {
	if len(t) > MaxTags {
		return Errorf(KindInvalid, "There would be %d tags; at most %d are allowed. Remove some first.", len(t), MaxTags)
	}
	return nil
}

// With gives these tags and more; on equal keys, more has the value.
func (t Tags) With(more Tags) Tags {
	all := make(Tags, len(t)+len(more))
	maps.Copy(all, t)
	maps.Copy(all, more)
	return all
}

// Without gives these tags but for some keys.
func (t Tags) Without(keys []string) Tags {
	rest := maps.Clone(t)
	maps.DeleteFunc(rest, func(key, _ string) bool { return slices.Contains(keys, key) })
	return rest
}

// List gives the tags in the order of their keys.
func (t Tags) List() []Tag {
	list := make([]Tag, 0, len(t))
	for _, key := range slices.Sorted(maps.Keys(t)) {
		list = append(list, Tag{Key: key, Value: t[key]})
	}
	return list
}
