// Shell is the image's /bin/sh: as much of a POSIX shell, and of the commands around one, as a
// CI job's script needs. The image has no base image, so that nothing but this repository is
// to be trusted or updated, and yet GitLab runs every script line through sh.
//
// It is for scripts; it has no line editing and no job control.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"

	"mvdan.cc/sh/v3/interp"
	"mvdan.cc/sh/v3/syntax"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	os.Exit(shell(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

// shell runs what the arguments say: -c TEXT, a script file, or standard input.
func shell(ctx context.Context, args []string, in io.Reader, out, errs io.Writer) int {
	settings, text, rest := parseArguments(args)
	parameters := rest
	if len(parameters) > 0 {
		parameters = parameters[1:] // the first is the script's own name, $0
	}
	var script io.Reader
	name := "sh"
	switch {
	case text != nil:
		script = strings.NewReader(*text)
	case len(rest) > 0:
		file, err := os.Open(rest[0])
		if err != nil {
			fmt.Fprintln(errs, "sh:", err)
			return 127
		}
		defer file.Close()
		script, name = file, rest[0]
	default:
		script, in = in, nil // the script's commands must not read the script
	}
	err := run(ctx, script, name, interp.StdIO(in, out, errs),
		interp.Params(append(append(settings, "--"), parameters...)...),
		interp.CallHandler(rewrite), interp.ExecHandlers(builtin))
	var status interp.ExitStatus
	if errors.As(err, &status) {
		return int(status)
	}
	if err != nil {
		fmt.Fprintln(errs, "sh:", err)
		return 2
	}
	return 0
}

// parseArguments splits a shell's command line into its settings (-e, -x), the text after -c
// and the operands. A login or interactive shell is the same as any other here.
func parseArguments(args []string) (settings []string, text *string, rest []string) {
	for len(args) > 0 && len(args[0]) > 1 && (args[0][0] == '-' || args[0][0] == '+') {
		flag := args[0]
		args = args[1:]
		switch {
		case flag == "--":
			return settings, text, args
		case flag == "--login" || flag == "-l" || flag == "-i" || flag == "-s":
		case strings.HasPrefix(flag, "-") && strings.Contains(flag, "c") && len(args) > 0:
			text = &args[0]
			args = args[1:]
			if others := strings.Trim(strings.ReplaceAll(flag, "c", ""), "-li"); others != "" {
				settings = append(settings, "-"+others)
			}
		case flag == "-o" || flag == "+o":
			if len(args) > 0 {
				settings = append(settings, flag, args[0])
				args = args[1:]
			}
		default:
			settings = append(settings, flag)
		}
	}
	return settings, text, args
}

// run reads the whole script before its first line: a CI job sends it at once.
func run(ctx context.Context, script io.Reader, name string, options ...interp.RunnerOption) error {
	content, err := io.ReadAll(script)
	if err != nil {
		return err
	}
	parsed, err := syntax.NewParser(syntax.Variant(syntax.LangBash)).Parse(strings.NewReader(string(content)), name)
	if err != nil {
		return err
	}
	runner, err := interp.New(options...)
	if err != nil {
		return err
	}
	return runner.Run(ctx, parsed)
}

// rewrite drops settings that bash has and the interpreter does not, and that change nothing
// here: GitLab begins each script with "set +o noclobber".
func rewrite(_ context.Context, args []string) ([]string, error) {
	if args[0] == "set" && slices.Contains(args, "noclobber") {
		return []string{"true"}, nil
	}
	return args, nil
}

// builtin runs the commands that an image without coreutils lacks.
func builtin(next interp.ExecHandlerFunc) interp.ExecHandlerFunc {
	return func(ctx context.Context, args []string) error {
		command, known := commands[args[0]]
		if !known {
			return next(ctx, args)
		}
		handler := interp.HandlerCtx(ctx)
		c := call{ctx: ctx, dir: handler.Dir, in: handler.Stdin, out: handler.Stdout, args: args[1:]}
		if err := command(c); err != nil {
			fmt.Fprintf(handler.Stderr, "%s: %v\n", args[0], err)
			return interp.ExitStatus(1)
		}
		return nil
	}
}
