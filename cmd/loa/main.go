// Command loa is an emergency public-alert broadcast gateway.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	_ "time/tzdata" // the static binary has its zones

	"github.com/spf13/cobra"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// errSilent ends with exit code 1 when everything has been said already.
var errSilent = errors.New("refused")

func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	root := newRootCommand() //nolint:contextcheck // ExecuteContext hands it to every command
	root.SetArgs(args)
	root.SetIn(stdin)
	root.SetOut(stdout)
	root.SetErr(stderr)
	err := root.ExecuteContext(ctx)
	switch {
	case err == nil:
		return 0
	case errors.Is(err, errSilent):
		return 1
	default:
		_, _ = fmt.Fprintln(stderr, "loa:", err)
		return 1
	}
}

func newRootCommand() *cobra.Command {
	root := &cobra.Command{
		Use:   "loa",
		Short: "Emergency public-alert broadcast gateway",
		Long: `Loa sends an approved public warning to the people of the right communes by
SMS, web push and app at once, and shows who has not been reached.

New here? "loa demo" plays a storm warning over a province in one process,
with nothing to set up and nobody to reach. "loa serve" runs a gateway.`,
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	root.AddCommand(
		newVersionCommand(), newDemoCommand(), newServeCommand(), newCheckCommand(), newDoctorCommand(), newAccountCommand(), newPersonCommand(),
		newSubscribersCommand(), newAreasCommand(), newTemplatesCommand(), newAlertCommand(), newCapCommand(), newStandinCommand(),
		newBenchCommand(), newHoldCommand(), newBackupCommand(), newRestoreCommand(), newKeysCommand(), newAuditCommand(),
	)
	root.AddCommand(historyCommands()...)
	return root
}
