package main

import (
	"context"
	"maps"
	"slices"
	"strings"

	"hearth"
	"hearth/internal/config"
	"hearth/internal/remote"
)

// storesOf gives the stores of the settings beside the built-in one.
func storesOf(settings config.Config) (map[string]*remote.Store, error) {
	stores := make(map[string]*remote.Store)
	for name, s := range settings.Stores {
		secret, err := s.SecretAccessKey()
		if err != nil {
			return nil, err
		}
		// Nothing is asked now that a context could bound: credentials are looked
		// for when they are needed.
		stores[name], err = remote.New(context.Background(), remote.Config{
			Name:            name,
			Endpoint:        s.Endpoint,
			Region:          settings.RegionOf(s),
			PathStyle:       s.PathStyle,
			AccessKeyID:     s.AccessKeyID,
			SecretAccessKey: secret,
			Profile:         s.Profile,
		})
		if err != nil {
			return nil, err
		}
	}
	return stores, nil
}

// everywhere joins the built-in store and the others.
func everywhere(settings config.Config, builtIn hearth.Objects) (hearth.Stores, error) {
	all := hearth.Stores{Buckets: settings.BucketStores(), ByName: map[string]hearth.Objects{hearth.BuiltIn: builtIn}}
	stores, err := storesOf(settings)
	for name, s := range stores {
		all.ByName[name] = s
	}
	return all, err
}

// stores looks at the stores of others: whether they answer, and whether those
// of their buckets are there that are known by name.
func (d *doctor) stores(ctx context.Context) {
	stores, err := storesOf(d.settings)
	if err != nil {
		d.note("stores", broken, hearth.MessageOf(err), "")
		return
	}
	buckets := d.settings.BucketStores()
	for _, name := range slices.Sorted(maps.Keys(stores)) {
		named := buckets.Named(name)
		if buckets.Store(resultsBucket) == name && !slices.Contains(named, resultsBucket) {
			named = append(named, resultsBucket) // of the first workgroups
		}
		if err := d.reach(ctx, stores[name], named); err != nil {
			d.note("store "+name, broken, hearth.MessageOf(err), "")
			continue
		}
		found := "it answers"
		switch {
		case len(named) > 0 && d.probe:
			found += ", and takes results in " + strings.Join(named, ", ")
		case len(named) > 0:
			found += ", and has " + strings.Join(named, ", ")
		}
		if patterns := slices.DeleteFunc(slices.Clone(buckets[name]), func(text string) bool { return !hearth.IsBucketPattern(text) }); len(patterns) > 0 {
			found += "; buckets that only " + strings.Join(patterns, ", ") + " names were not looked for"
		}
		d.note("store "+name, healthy, found, "")
	}
}

func (d *doctor) reach(ctx context.Context, store *remote.Store, buckets []string) error {
	if len(buckets) == 0 {
		err := store.Reach(ctx, "")
		if hearth.KindOf(err) == hearth.KindDenied { // to list buckets is not what the server needs
			return nil
		}
		return err
	}
	for _, bucket := range buckets {
		err := store.Reach(ctx, bucket)
		if err == nil && d.probe {
			err = store.Check(ctx, hearth.Object{URI: "s3://" + bucket + "/hearth-doctor"})
		}
		if err != nil {
			return err
		}
	}
	return nil
}
