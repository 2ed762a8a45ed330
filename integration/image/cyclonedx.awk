# Turns the facts that `sbom` gathers, one a line, into CycloneDX 1.5.

function quote(text) {
  gsub(/\\/, "\\\\", text)
  gsub(/"/, "\\\"", text)
  return "\"" text "\""
}

# The version of a package URL: of what package versions have, only `+` means something else there.
function version_in_url(version) {
  gsub(/\+/, "%2B", version)
  return version
}

function licence(expression) {
  # An old spelling of OR.
  gsub(/\//, " OR ", expression)
  return "\"licenses\": [{\"expression\": " quote(expression) "}]"
}

function hash(sum) {
  return "\"hashes\": [{\"alg\": \"SHA-256\", \"content\": " quote(sum) "}]"
}

function component(type, ref, name, version, rest) {
  return "{\"type\": " quote(type) ", \"bom-ref\": " quote(ref) ", \"name\": " quote(name) ", \"version\": " \
    quote(version) ", \"purl\": " quote(ref) ", " rest "}"
}

$1 == "program" { program = $2; build = $3; target = $4; next }
$1 == "sum" { sums[$2 " " $3] = $4; next }

$1 == "deb" {
  ref = "pkg:deb/debian/" $2 "@" version_in_url($3) "?arch=" $4
  # What is linked or copied of them, not what their copyright files list besides.
  terms = $2 == "busybox-static" ? "GPL-2.0-only" : $2 == "libc6-dev" ? "LGPL-2.1-or-later" : ""
  if (terms == "") { print "sbom: the licence of " $2 " is not known" > "/dev/stderr"; exit failed = 1 }
  components[++count] = component("library", ref, $2, $3, licence(terms))
  edges[++edge_count] = "@ROOT@ " ref
  next
}

# `2 bytes v1.12.2 |MIT|`: depth, name, version; perhaps a path or a remark; the licence.
{
  split($0, parts, "|")
  depth = $1 + 0
  version = substr($3, 2)
  ref = "pkg:cargo/" $2 "@" version_in_url(version)
  above[depth] = ref
  if (depth == 0) {
    root = ref
    root_component = component("application", ref, $2, version, licence(parts[2]) ", " hash(program) \
      ", \"properties\": [{\"name\": \"decant:build\", \"value\": " quote(build) "}, {\"name\": \"decant:target\"" \
      ", \"value\": " quote(target) "}]")
    next
  }
  edge = above[depth - 1] " " ref
  if (!(edge in known_edges)) { known_edges[edge]; edges[++edge_count] = edge }
  if (ref in known) next
  known[ref]
  sum = sums[$2 " " version]
  if (sum == "" || parts[2] == "") {
    print "sbom: no checksum or no licence for " $2 " " version > "/dev/stderr"
    exit failed = 1
  }
  components[++count] = component("library", ref, $2, version, licence(parts[2]) ", " hash(sum))
}

END {
  if (failed) exit 1
  if (root == "" || count == 0) { print "sbom: cargo told nothing" > "/dev/stderr"; exit 1 }
  print "{"
  print "  \"bomFormat\": \"CycloneDX\","
  print "  \"specVersion\": \"1.5\","
  print "  \"serialNumber\": \"urn:uuid:@NUMBER@\","
  print "  \"version\": 1,"
  print "  \"metadata\": {\"timestamp\": " quote(time) ", \"component\": " root_component "},"
  print "  \"components\": ["
  for (i = 1; i <= count; i++) print "    " components[i] (i < count ? "," : "")
  print "  ],"
  print "  \"dependencies\": ["
  for (i = 1; i <= edge_count; i++) {
    split(edges[i], ends, " ")
    from = ends[1] == "@ROOT@" ? root : ends[1]
    if (!(from in needs)) order[++from_count] = from
    needs[from] = needs[from] (needs[from] == "" ? "" : ", ") quote(ends[2])
  }
  for (i = 1; i <= from_count; i++) {
    print "    {\"ref\": " quote(order[i]) ", \"dependsOn\": [" needs[order[i]] "]}" (i < from_count ? "," : "")
  }
  print "  ]"
  print "}"
}
