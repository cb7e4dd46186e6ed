package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"

	"aiv.internal/conformance/framework/probe"
)

// measure runs the command and returns its result, nil for one that has none.
func measure(ctx context.Context, args []string) (any, error) {
	if len(args) == 0 {
		return nil, fmt.Errorf("%w: no command", errUsage)
	}
	command, rest := args[0], args[1:]
	switch command {
	case "disk":
		return disk(ctx, rest)
	case "dns", "tcp", "tls", "http":
		return connect(ctx, command, rest)
	case "outward":
		return outward(ctx, rest)
	case "gpu":
		return gpu(ctx, rest)
	case "serve":
		return nil, serve(ctx, rest)
	case "reach":
		return reach(ctx, rest)
	case "copy":
		return nil, copyTo(rest)
	case "sleep":
		return nil, sleep(ctx, rest)
	}
	return nil, fmt.Errorf("%w: there is no command %q", errUsage, command)
}

func disk(ctx context.Context, args []string) (any, error) {
	if len(args) == 0 {
		return nil, fmt.Errorf("%w: disk needs write, verify or pair", errUsage)
	}
	flags := newFlags("disk " + args[0])
	var data probe.DiskOptions
	var pair probe.PairOptions
	flags.StringVar(&data.Dir, "dir", "", "")
	flags.StringVar(&data.File, "file", "", "")
	flags.IntVar(&data.MiB, "mib", 16, "")
	flags.Uint64Var(&data.Seed, "seed", 1, "")
	flags.Int64Var(&data.GrowFrom, "grow-from", 0, "")
	flags.Int64Var(&data.GrowBy, "grow-by", 0, "")
	flags.DurationVar(&data.GrowWait, "grow-wait", 2*time.Minute, "")
	flags.StringVar(&pair.Name, "name", "", "")
	flags.StringVar(&pair.Session, "session", "", "")
	flags.DurationVar(&pair.Wait, "wait", time.Minute, "")
	if err := parse(flags, args[1:]); err != nil {
		return nil, err
	}
	if data.Dir == "" {
		return nil, fmt.Errorf("%w: --dir is missing", errUsage)
	}
	switch args[0] {
	case "write":
		return probe.DiskWrite(ctx, data), nil
	case "verify":
		return probe.DiskVerify(ctx, data), nil
	case "pair":
		pair.Dir = data.Dir
		return probe.DiskPair(ctx, pair), nil
	}
	return nil, fmt.Errorf("%w: disk cannot %q", errUsage, args[0])
}

func connect(ctx context.Context, command string, args []string) (any, error) {
	if len(args) == 0 {
		return nil, fmt.Errorf("%w: %s of what?", errUsage, command)
	}
	target, flags := args[0], newFlags(command)
	var options probe.ConnectOptions
	var ca string
	headers := http.Header{}
	flags.StringVar(&options.Server, "server", "", "")
	flags.StringVar(&ca, "ca", "", "")
	flags.StringVar(&options.ServerName, "server-name", "", "")
	flags.StringVar(&options.Proxy, "proxy", "", "")
	flags.IntVar(&options.Status, "status", 0, "")
	flags.DurationVar(&options.Timeout, "timeout", 0, "")
	flags.Func("header", "", func(text string) error {
		name, value, found := strings.Cut(text, ":")
		if !found {
			return fmt.Errorf("a header is NAME: VALUE, not %q", text)
		}
		headers.Add(strings.TrimSpace(name), strings.TrimSpace(value))
		return nil
	})
	if err := parse(flags, args[1:]); err != nil {
		return nil, err
	}
	options.Header = headers
	options.CAs = []byte(os.Getenv(probe.CAVariable))
	if ca != "" {
		var err error
		if options.CAs, err = os.ReadFile(ca); err != nil {
			return nil, fmt.Errorf("read the CA file: %w", err)
		}
	}
	switch command {
	case "dns":
		return probe.DNS(ctx, target, options.Server), nil
	case "tcp":
		return probe.TCP(ctx, target, options), nil
	case "tls":
		return probe.TLS(ctx, target, options), nil
	}
	return probe.HTTP(ctx, target, options), nil
}

func outward(ctx context.Context, args []string) (any, error) {
	flags := newFlags("outward")
	var options probe.OutwardOptions
	for name, forbidden := range map[string]bool{"allowed": false, "forbidden": true} {
		flags.Func(name, "", func(text string) error {
			options.Destinations = append(options.Destinations, probe.ParseDestination(text, forbidden))
			return nil
		})
	}
	flags.Func("name", "", func(name string) error {
		options.Names = append(options.Names, name)
		return nil
	})
	flags.DurationVar(&options.Timeout, "timeout", 0, "")
	flags.BoolVar(&options.Again, "again", false, "")
	if err := parse(flags, args); err != nil {
		return nil, err
	}
	if len(options.Destinations) > probe.MaxDestinations {
		return nil, fmt.Errorf("%w: %d destinations, and a result holds %d", errUsage, len(options.Destinations), probe.MaxDestinations)
	}
	options.CAs = []byte(os.Getenv(probe.CAVariable))
	return probe.Outward(ctx, options), nil
}

func gpu(ctx context.Context, args []string) (any, error) {
	flags := newFlags("gpu")
	var options probe.GPUOptions
	options.Flags(flags)
	if err := parse(flags, args); err != nil {
		return nil, err
	}
	return probe.GPU(ctx, options), nil
}

func serve(ctx context.Context, args []string) error {
	flags := newFlags("serve")
	var options probe.ServeOptions
	flags.StringVar(&options.Token, "token", "", "")
	flags.IntVar(&options.Port, "port", probe.ServePort, "")
	flags.IntVar(&options.TLSPort, "tls-port", 0, "")
	flags.StringVar(&options.TLSName, "tls-name", "", "")
	if err := parse(flags, args); err != nil {
		return err
	}
	if options.Token == "" {
		return fmt.Errorf("%w: --token is missing", errUsage)
	}
	if options.TLSPort != 0 && options.TLSName == "" {
		return fmt.Errorf("%w: --tls-port needs --tls-name", errUsage)
	}
	return probe.Serve(ctx, options)
}

func reach(ctx context.Context, args []string) (any, error) {
	flags := newFlags("reach")
	var options probe.ReachOptions
	flags.StringVar(&options.Token, "token", "", "")
	flags.IntVar(&options.ReadyPort, "ready-port", 0, "")
	flags.IntVar(&options.Enough, "enough", 0, "")
	flags.DurationVar(&options.For, "for", 0, "")
	flags.Func("target", "", func(text string) error {
		if !strings.HasPrefix(text, probe.ReachTCP) && !strings.HasPrefix(text, probe.ReachDNS) {
			return fmt.Errorf("a target is tcp:HOST:PORT or dns:NAME, not %q", text)
		}
		options.Targets = append(options.Targets, text)
		return nil
	})
	flags.Func("listen", "", func(text string) error {
		port, err := strconv.Atoi(text)
		options.Listen = append(options.Listen, port)
		return err
	})
	if err := parse(flags, args); err != nil {
		return nil, err
	}
	if options.Token == "" {
		return nil, fmt.Errorf("%w: --token is missing", errUsage)
	}
	return probe.Reach(ctx, options)
}

func copyTo(args []string) error {
	if len(args) != 1 || strings.HasPrefix(args[0], "-") {
		return fmt.Errorf("%w: copy takes one folder", errUsage)
	}
	return probe.Copy(args[0])
}

// sleep waits for SIGTERM, or for the given time.
func sleep(ctx context.Context, args []string) error {
	if len(args) == 0 {
		<-ctx.Done()
		return nil
	}
	wait, err := time.ParseDuration(args[0])
	if err != nil || len(args) > 1 {
		return fmt.Errorf("%w: sleep takes one time, such as 30s", errUsage)
	}
	select {
	case <-ctx.Done():
	case <-time.After(wait):
	}
	return nil
}

func newFlags(name string) *flag.FlagSet {
	flags := flag.NewFlagSet(name, flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	return flags
}

func parse(flags *flag.FlagSet, args []string) error {
	if err := flags.Parse(args); err != nil {
		return fmt.Errorf("%w: %v", errUsage, err)
	}
	if flags.NArg() > 0 {
		return fmt.Errorf("%w: what is %q?", errUsage, flags.Args())
	}
	return nil
}
