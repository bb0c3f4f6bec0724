package main

import (
	"context"

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
func everywhere(settings config.Config, builtIn hearth.Objects) (hearth.Objects, error) {
	stores, err := storesOf(settings)
	if err != nil || len(stores) == 0 {
		return builtIn, err
	}
	all := hearth.Stores{Buckets: settings.Buckets(), ByName: map[string]hearth.Objects{hearth.BuiltIn: builtIn}}
	for name, s := range stores {
		all.ByName[name] = s
	}
	return all, nil
}
