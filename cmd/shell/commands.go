package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// call is one command that the shell runs in its own process.
type call struct {
	ctx  context.Context
	dir  string
	in   io.Reader
	out  io.Writer
	args []string
}

// commands are what GitLab's scripts and ours use beside the shell's own builtins.
var commands = map[string]func(call) error{
	"cat": cat, "chmod": chmod, "cp": copyFile, "ls": list, "mkdir": makeFolders, "mv": move,
	"rm": remove, "sleep": sleep, "tee": tee, "touch": touch,
}

// operands separates single-letter options from paths, which it makes absolute: the shell's
// folder is not the process's.
func (c call) operands() (options string, paths []string) {
	for i, arg := range c.args {
		if arg == "--" {
			for _, rest := range c.args[i+1:] {
				paths = append(paths, c.path(rest))
			}
			break
		}
		if len(arg) > 1 && arg[0] == '-' {
			options += strings.TrimLeft(arg, "-")
			continue
		}
		paths = append(paths, c.path(arg))
	}
	return options, paths
}

func (c call) path(name string) string {
	if filepath.IsAbs(name) {
		return name
	}
	return filepath.Join(c.dir, name)
}

func cat(c call) error {
	_, paths := c.operands()
	if len(paths) == 0 {
		_, err := io.Copy(c.out, c.in)
		return err
	}
	for _, path := range paths {
		file, err := os.Open(path)
		if err != nil {
			return err
		}
		_, err = io.Copy(c.out, file)
		if err := errors.Join(err, file.Close()); err != nil {
			return err
		}
	}
	return nil
}

func chmod(c call) error {
	if len(c.args) < 2 {
		return errors.New("needs a mode and a file")
	}
	mode, err := strconv.ParseUint(c.args[0], 8, 12)
	if err != nil {
		return fmt.Errorf("understands octal modes only, not %q", c.args[0])
	}
	for _, name := range c.args[1:] {
		if err := os.Chmod(c.path(name), os.FileMode(mode)); err != nil {
			return err
		}
	}
	return nil
}

func copyFile(c call) error {
	_, paths := c.operands()
	if len(paths) != 2 {
		return errors.New("copies one file")
	}
	content, err := os.ReadFile(paths[0])
	if err != nil {
		return err
	}
	return os.WriteFile(into(paths[1], paths[0]), content, 0o644)
}

func move(c call) error {
	_, paths := c.operands()
	if len(paths) != 2 {
		return errors.New("moves one file")
	}
	return os.Rename(paths[0], into(paths[1], paths[0]))
}

// into returns the file that is meant where a folder is named.
func into(target, source string) string {
	if info, err := os.Stat(target); err == nil && info.IsDir() {
		return filepath.Join(target, filepath.Base(source))
	}
	return target
}

func list(c call) error {
	_, paths := c.operands()
	if len(paths) == 0 {
		paths = []string{c.dir}
	}
	for _, path := range paths {
		info, err := os.Stat(path)
		if err != nil {
			return err
		}
		if !info.IsDir() {
			fmt.Fprintln(c.out, path)
			continue
		}
		entries, err := os.ReadDir(path)
		if err != nil {
			return err
		}
		for _, entry := range entries {
			fmt.Fprintln(c.out, entry.Name())
		}
	}
	return nil
}

func makeFolders(c call) error {
	options, paths := c.operands()
	make := os.Mkdir
	if strings.Contains(options, "p") {
		make = os.MkdirAll
	}
	for _, path := range paths {
		if err := make(path, 0o777); err != nil {
			return err
		}
	}
	return nil
}

func remove(c call) error {
	options, paths := c.operands()
	delete := os.Remove
	if strings.ContainsAny(options, "rR") {
		delete = os.RemoveAll
	}
	for _, path := range paths {
		err := delete(path)
		if err != nil && !(strings.Contains(options, "f") && errors.Is(err, os.ErrNotExist)) {
			return err
		}
	}
	return nil
}

func sleep(c call) error {
	if len(c.args) != 1 {
		return errors.New("needs a time")
	}
	text := c.args[0]
	if _, err := strconv.ParseFloat(text, 64); err == nil {
		text += "s"
	}
	wait, err := time.ParseDuration(text)
	if err != nil {
		return err
	}
	select {
	case <-c.ctx.Done():
		return c.ctx.Err()
	case <-time.After(wait):
		return nil
	}
}

func tee(c call) error {
	options, paths := c.operands()
	flags := os.O_CREATE | os.O_WRONLY | os.O_TRUNC
	if strings.Contains(options, "a") {
		flags = os.O_CREATE | os.O_WRONLY | os.O_APPEND
	}
	targets := []io.Writer{c.out}
	for _, path := range paths {
		file, err := os.OpenFile(path, flags, 0o666)
		if err != nil {
			return err
		}
		defer file.Close()
		targets = append(targets, file)
	}
	_, err := io.Copy(io.MultiWriter(targets...), c.in)
	return err
}

func touch(c call) error {
	_, paths := c.operands()
	for _, path := range paths {
		file, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY, 0o666)
		if err != nil {
			return err
		}
		if err := errors.Join(file.Close(), os.Chtimes(path, time.Now(), time.Now())); err != nil {
			return err
		}
	}
	return nil
}
