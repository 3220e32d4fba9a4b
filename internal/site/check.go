package main

import (
	"fmt"
	"net/url"
	"path"
	"regexp"
	"slices"
	"strings"
)

var (
	references = regexp.MustCompile(`\s(?:href|src|srcset)="([^"]*)"`)
	identities = regexp.MustCompile(`\sid="([^"]*)"`)
)

// check fails for every reference of a page that leads nowhere in the site.
func (s *site) check(files map[string][]byte) {
	pages := make([]*page, 0, len(s.pages))
	for _, p := range s.pages {
		pages = append(pages, p)
	}
	slices.SortFunc(pages, func(a, b *page) int { return strings.Compare(a.source, b.source) })
	for _, p := range pages {
		for _, m := range references.FindAllSubmatch(files[p.out], -1) {
			if err := leads(files, p.out, string(m[1])); err != nil {
				s.fail(p, err)
			}
		}
	}
}

// leads returns an error unless a reference of a file leads to a file of the site, or away from it.
func leads(files map[string][]byte, from, ref string) error {
	u, err := url.Parse(ref)
	if err != nil || u.Scheme != "" {
		return err
	}
	to := from
	if u.Path != "" {
		to = path.Join(path.Dir(from), u.Path)
	}
	content, ok := files[to]
	if !ok {
		return fmt.Errorf("%s: no such file in the site", ref)
	}
	if u.Fragment == "" {
		return nil
	}
	for _, m := range identities.FindAllSubmatch(content, -1) {
		if string(m[1]) == u.Fragment {
			return nil
		}
	}
	return fmt.Errorf("%s: no such heading", ref)
}
