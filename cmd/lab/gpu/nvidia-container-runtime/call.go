package main

import "strings"

// call is what matters here of a command line of runc's.
type call struct {
	// creates is true where a container is made, from the bundle, which is the working
	// directory unless another is named.
	creates bool
	bundle  string
	// log is the file for messages, empty for none.
	log string
}

// withValue are the flags of runc before its command whose value may be the next argument
// (runc(8)). One that is not among them would pass its value off as the command.
var withValue = map[string]bool{"--log": true, "--log-format": true, "--root": true, "--criu": true, "--rootless": true}

// parse reads the arguments without the program's name.
func parse(arguments []string) call {
	found := call{bundle: "."}
	command := ""
	for i := 0; i < len(arguments); i++ {
		name, value, joined := strings.Cut(arguments[i], "=")
		if !strings.HasPrefix(name, "-") {
			if command == "" {
				command = name
			}
			continue
		}
		name = "--" + strings.TrimLeft(name, "-")
		takesNext := command == "" && withValue[name] || command != "" && (name == "--bundle" || name == "--b")
		if !joined && takesNext && i+1 < len(arguments) {
			i++
			value = arguments[i]
		}
		switch {
		case command == "" && name == "--log":
			found.log = value
		case name == "--bundle" || name == "--b":
			found.bundle = value
		}
	}
	found.creates = command == "create" || command == "run"
	return found
}
