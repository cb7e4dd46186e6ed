// Probe runs in a throwaway pod, measures one thing, and leaves the result as JSON in the
// container's termination message and on standard output.
//
// It exits with 0 when it has measured, however bad the result; with 1 when it could not; with
// 2 when it was called wrongly. On SIGTERM it leaves what it has seen so far.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strconv"
	"syscall"

	// The image holds no public CAs, and Entra ID is signed by one: these count where the system
	// has none.
	_ "golang.org/x/crypto/x509roots/fallback"

	"aiv.internal/conformance/framework/probe"
)

const usage = `usage: probe COMMAND
  disk write|verify --dir DIR [--mib N --seed N --file NAME] [--grow-by BYTES --grow-from BYTES --grow-wait TIME]
  disk pair --dir DIR --name a|b --session ID --wait TIME
  dns NAME [--server ADDRESS]
  tcp HOST:PORT
  tls HOST:PORT [--ca FILE --server-name NAME]
  http URL [--ca FILE --header 'NAME: VALUE' --status N --proxy URL]
  outward [--allowed TARGET[' via 'PROXY] --forbidden TARGET[' via 'PROXY] --name NAME --timeout TIME --again]...
  gpu [--expect N --memory BYTES --stage-time TIME --library DIR] [--no-gpu]
  serve --token TOKEN [--port N] [--tls-port N --tls-name NAME]
  reach --token TOKEN [--target tcp:HOST:PORT|dns:NAME ...] [--listen N ...] [--ready-port N --for TIME --enough N]
  copy DIR
  sleep [TIME]
  exit CODE
`

// errUsage marks a wrong call.
var errUsage = errors.New("wrong use")

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

func run(ctx context.Context, args []string, out, errors_ io.Writer) int {
	if len(args) == 2 && args[0] == "exit" {
		if code, err := strconv.Atoi(args[1]); err == nil {
			return code
		}
	}
	result, err := measure(ctx, args)
	if errors.Is(err, errUsage) || errors.Is(err, flag.ErrHelp) {
		fmt.Fprintf(errors_, "%v\n%s", err, usage)
		return 2
	}
	if err == nil && result != nil {
		if text, broken := json.Marshal(result); broken == nil {
			fmt.Fprintf(out, "%s\n", text)
		}
		err = probe.Write(result)
	}
	if err != nil {
		fmt.Fprintln(errors_, err)
		return 1
	}
	return 0
}
