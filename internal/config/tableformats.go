package config

import (
	"fmt"
	"slices"
	"strings"

	"hearth"
)

// TableFormatsOf are the formats that sessions of a workgroup have.
func (c Config) TableFormatsOf(workGroup string) []hearth.TableFormat {
	group, own := c.WorkGroups[workGroup]
	if !own {
		group = c.WorkGroups[hearth.OtherWorkGroups]
	}
	return group.TableFormats
}

// TableFormats are the formats that sessions of any workgroup have.
func (c Config) TableFormats() (used []hearth.TableFormat) {
	for _, format := range hearth.TableFormats() {
		for _, group := range c.WorkGroups {
			if slices.Contains(group.TableFormats, format) {
				used = append(used, format)
				break
			}
		}
	}
	return used
}

func (g WorkGroup) checkTableFormats(name string) error {
	known := hearth.TableFormats()
	for _, format := range g.TableFormats {
		if !slices.Contains(known, format) {
			return refuse("workgroups."+name+".table_formats", format, "the formats are "+strings.Trim(fmt.Sprintf("%q", known), "[]"))
		}
	}
	return nil
}
