package answers

// Registry is section 5.1.
type Registry struct {
	// Host of the registry, with its port where it is not 443.
	URL string `yaml:"url" form:"registry" example:"artifactory.aiv.internal"`
	// Repository or project below which images are pushed.
	Repository string `yaml:"repository" form:"repository" example:"ml-platform"`
	// User name, or name of the service account.
	Username string `yaml:"username" example:"svc-jupyterhub"`
	// Password or token.
	Password Secret `yaml:"password"`
	// Name of the pull secret in the namespace.
	PullSecret string `yaml:"pullSecret" form:"dnsname" example:"registry-pull"`
	// May anybody pull without credentials? No if left out.
	Public *bool `yaml:"public" example:"false"`
	// File with the CA that signs the registry's certificate, where it is not the corporate one.
	CAFile string `yaml:"caFile" form:"path" example:"aiv-ca.pem"`
	// Web address of the registry's user interface.
	Portal string `yaml:"portal" form:"url" example:"https://artifactory.aiv.internal/ui"`
	// Whom to call about the registry.
	Contact Contact `yaml:"contact"`
}
