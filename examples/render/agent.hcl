# Only templates: enough for `decant render` and `decant check`; the login stands in another file.
template {
  source      = "/etc/shop/app.conf.tmpl" # not there on a laptop: the file beside this one stands in for it
  destination = "/run/shop/app.conf"
  perms       = "0640"
}

template {
  destination = "/run/shop/db.env"
  contents    = <<EOT
{{ with secret "database/creds/shop" -}}
DB_USER={{ .Data.username }}
DB_PASSWORD={{ .Data.password }}
{{ end -}}
EOT
}
