<?php

// The service providers: each imported from its own metadata document, then changed as the test asks.

$directory = getenv('PROVOST_E2E_IDP');
$settings = json_decode(file_get_contents($directory . '/settings.json'), true);

foreach ($settings['serviceProviders'] as $file => $changes) {
    foreach (SimpleSAML\Metadata\SAMLParser::parseDescriptorsFile($directory . '/' . $file) as $entityId => $entity) {
        $imported = $entity->getMetadata20SP();
        unset($imported['entityDescriptor'], $imported['expire']);
        $metadata[$entityId] = array_merge($imported, $changes);
    }
}
