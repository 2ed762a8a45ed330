# Renders two files once and ends. Try it against `decant dev` (see the README):
#
#   export VAULT_ADDR=http://127.0.0.1:8200 VAULT_TOKEN=…
#   echo "$VAULT_TOKEN" > /tmp/decant-example/token
#   decant agent -config=examples/agent.hcl
exit_after_auth = true

vault {
  address = "http://127.0.0.1:8200"
}

auto_auth {
  method "token_file" {
    config = {
      token_file_path = "/tmp/decant-example/token"
    }
  }
}

template {
  contents    = <<-EOT
    {{- with secret "secret/data/app" -}}
    DB_USER={{ .Data.data.user }}
    DB_PASSWORD={{ .Data.data.password }}
    {{ end -}}
    EOT
  destination          = "/tmp/decant-example/app.env"
  perms                = "0400"
  error_on_missing_key = true
}

template {
  contents    = "{{ with secret \"secret/data/app\" }}{{ .Data.data | toJSONPretty }}{{ end }}\n"
  destination = "/tmp/decant-example/app.json"
}

template_config {
  exit_on_retry_failure = true
}
