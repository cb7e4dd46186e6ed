package answers

// GitLab is section 7.1.
type GitLab struct {
	// Address of GitLab.
	URL string `yaml:"url" form:"url" example:"https://gitlab.aiv.internal"`
	// Path of the top level group.
	Group string `yaml:"group" form:"repository" example:"ml-platform"`
	// Path of the project with its groups.
	Project string `yaml:"project" form:"repository" example:"ml-platform/jupyterhub"`
	// The personal access token (PAT).
	Token Secret `yaml:"token"`
	// Are shared runners available?
	SharedRunners *bool `yaml:"sharedRunners" example:"true"`
	// Tags of the runners that are dedicated to ML workloads. An empty list says that there are none.
	RunnerTags []string `yaml:"runnerTags" example:"ml,gpu"`
	// File with the CA that signs GitLab's certificate, where it is not the corporate one.
	CAFile string `yaml:"caFile" form:"path" example:"aiv-ca.pem"`
	// Whom to call about GitLab.
	Contact Contact `yaml:"contact"`
}

func (g GitLab) validate() []problem { return encrypted("url", g.URL, g.Token) }

// Pipeline is section 7.2.
type Pipeline struct {
	// Where the CI/CD variables are set. Read them from the environment where the token may not read them.
	VariablesIn VariablePlace `yaml:"variablesIn" example:"project"`
	// Branch that is built and deployed; the project's default branch if left out.
	Branch string `yaml:"branch" example:"main"`
	// Environment that is deployed to.
	Environment string `yaml:"environment" example:"production"`
	// Whom to call about pipelines.
	Contact Contact `yaml:"contact"`
}

// VariablePlace is where GitLab's CI/CD variables are set.
type VariablePlace string

// The places of CI/CD variables.
const (
	InProject     VariablePlace = "project"
	InGroup       VariablePlace = "group"
	InEnvironment VariablePlace = "environment"
)

// Enum lists the choices.
func (VariablePlace) Enum() []string { return []string{"project", "group", "environment"} }
