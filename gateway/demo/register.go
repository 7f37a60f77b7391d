package demo

import (
	"fmt"
	"regexp"
	"strings"

	"loa/gateway"
	"loa/gateway/config"
	"loa/gateway/render"
)

// register has every text of the catalogue registered with the carrier, and
// puts the list into the configuration.
func (p *play) register(cfg *config.Config) error {
	list, err := gateway.RegisterAll(cfg, p.Templates, p.World.Parts, p.World.Sender)
	if err != nil {
		return err
	}
	patterns := make([]string, len(list))
	for i, t := range list {
		patterns[i] = pattern(t)
	}
	return p.World.Register(patterns)
}

var slot = regexp.MustCompile(`\\\{([a-z_]+)\\\}`)

// pattern is a registered text as the carrier checks it: slots take anything
// up to their longest value.
func pattern(t render.Registered) string {
	quoted := regexp.QuoteMeta(t.Text)
	return slot.ReplaceAllStringFunc(quoted, func(s string) string {
		name := strings.Trim(s, `\{}`)
		for _, known := range t.Slots {
			if known.Name == name {
				return fmt.Sprintf(".{1,%d}", known.Longest)
			}
		}
		return s
	})
}
