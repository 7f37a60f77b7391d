//go:build !history

package main

import (
	"github.com/spf13/cobra"

	"loa/gateway"
)

// observed and historyCommands do something in builds for tests alone.
func observed() (gateway.Observer, error) { return gateway.Observer{}, nil }

func historyCommands() []*cobra.Command { return nil }
